"""How do mails leave? By SMTP (RFC 5321, 3207, 4954), or into a folder; which one is named by a URL."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from pydantic import SecretStr

from libs.kit.errors import FillstreamError

# For each answer; a mail has about ten, and a sender two minutes.
_SECONDS = 10
_SUBMISSION_PORT, _TLS_PORT = 587, 465
_PERMANENT = 500


class PostRefused(FillstreamError):
    """This mail will never be taken."""


class PostAway(FillstreamError):
    """No mail is taken now."""


class Post(Protocol):
    """Takes a mail for delivery."""

    async def deliver(self, message: EmailMessage) -> None:
        """Hand over one mail. Raises PostRefused and PostAway."""


class Folder:
    """Keeps each mail as a file that its owner alone can read: for development, and for tests."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def deliver(self, message: EmailMessage) -> None:
        """Write `<message id>.eml`. Raises PostAway when the folder can't be written."""
        name = f"{message['Message-ID'].strip('<>').partition('@')[0]}.eml"
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = self.path / f".{name}"
            draft.touch(0o600)
            draft.write_bytes(bytes(message))
            draft.replace(self.path / name)
        except OSError as error:
            raise PostAway(f"{self.path} can't be written: {error.strerror}") from error


class Smtp:
    """Submits mails to a server, with TLS unless its URL says `?plain`."""

    def __init__(self, url: SplitResult) -> None:
        options = parse_qs(url.query, keep_blank_values=True)
        self._host = url.hostname or "localhost"
        self._implicit_tls = url.scheme == "smtps"
        self._port = url.port or (_TLS_PORT if self._implicit_tls else _SUBMISSION_PORT)
        self._start_tls = not self._implicit_tls and "plain" not in options
        self._user, self._password = unquote(url.username or ""), unquote(url.password or "")

    async def deliver(self, message: EmailMessage) -> None:
        """Submit one mail, on a connection of its own. Raises PostRefused and PostAway."""
        try:
            await asyncio.to_thread(self._submit, message)
        except smtplib.SMTPRecipientsRefused as error:
            code, said = next(iter(error.recipients.values()))
            raise _trouble(code, said) from error
        except smtplib.SMTPDataError as error:
            raise _trouble(error.smtp_code, error.smtp_error) from error
        # A login, a sender or a connection that is refused says nothing about this mail.
        except smtplib.SMTPResponseException as error:
            raise PostAway(f"{error.smtp_code} {_text(error.smtp_error)}") from error
        except (smtplib.SMTPException, OSError, UnicodeError) as error:
            raise PostAway(f"{self._host}:{self._port} does not take mails: {type(error).__name__}") from error

    def _submit(self, message: EmailMessage) -> None:
        server = self._connected()
        try:
            if self._start_tls:
                server.starttls(context=ssl.create_default_context())
            if self._user:
                server.login(self._user, self._password)
            to = [address.addr_spec for address in message["To"].addresses]
            server.ehlo_or_helo_if_needed()
            if not "".join(to).isascii() and not server.has_extn("smtputf8"):
                raise PostRefused(f"{self._host}:{self._port} takes no letters beyond ASCII before the @ (RFC 6531)")
            server.send_message(message, to_addrs=to)
        finally:
            # Whatever the server says to a good-bye, it has said what became of the mail.
            with suppress(smtplib.SMTPException, OSError):
                server.quit()
            server.close()

    def _connected(self) -> smtplib.SMTP:
        if self._implicit_tls:
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self._host, self._port, timeout=_SECONDS, context=context)
        return smtplib.SMTP(self._host, self._port, timeout=_SECONDS)


def _trouble(code: int, said: bytes | str) -> PostRefused | PostAway:
    return PostRefused(f"{code} {_text(said)}") if code >= _PERMANENT else PostAway(f"{code} {_text(said)}")


def _text(said: bytes | str) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else said


def post(url: SecretStr) -> Post:
    """What a URL names: `smtp://user:password@host:587`, `smtps://host`, `file:///folder`. Raises ValueError."""
    parts = urlsplit(url.get_secret_value())
    if parts.scheme == "file":
        return Folder(Path(unquote(parts.path)))
    if parts.scheme in {"smtp", "smtps"}:
        return Smtp(parts)
    raise ValueError("FILLSTREAM_NOTIFICATIONS_MAIL_URL should begin with smtp://, smtps:// or file://")
