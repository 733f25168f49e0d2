"""What do mails say? A subject and a few lines for each template, with the secret where it has one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from types import MappingProxyType
from urllib.parse import urlencode

from pydantic import SecretStr

from libs.kit.mail_secrets import mail_secret
from libs.schema.auth import MailTemplate
from services.notifications.model import Mail


@dataclass(frozen=True, slots=True)
class Words:
    """A template's text. `action` is what the secret is for, and the page that takes it; None where there is no secret."""

    subject: str
    body: str
    action: str | None = None


WORDS: Mapping[MailTemplate, Words] = MappingProxyType(
    {
        MailTemplate.VERIFY_EMAIL: Words(
            "Confirm your address",
            "Somebody, probably you, registered at Fillstream with this address. Confirm that it is yours:",
            "verify-email",
        ),
        MailTemplate.RESET_PASSWORD: Words(
            "Choose another password",
            "Somebody, probably you, forgot the password of your account. Choose another one:",
            "reset-password",
        ),
        MailTemplate.ACCOUNT_LOCKED: Words(
            "Your account is locked for a while",
            "Too many logins to your account failed. It opens again by itself; if it was you, open it now:",
            "unlock",
        ),
        MailTemplate.PASSWORD_CHANGED: Words(
            "Your password was changed",
            "The password of your account was changed, and all other sessions ended. If it was not you, reset it now.",
        ),
        MailTemplate.SESSION_COMPROMISED: Words(
            "One of your sessions was ended",
            "A token of one of your sessions was used twice, so somebody may have copied it. The session was ended; "
            "log in again, and look at your other sessions.",
        ),
        MailTemplate.EXPORT_READY: Words(
            "Your data are ready",
            "All that is held about you has been put together, as you asked. Log in and download it within the next days.",
        ),
        MailTemplate.ERASURE_REQUESTED: Words(
            "Your account will be erased",
            "You asked for everything about you to be erased. Until the day that your account shows, you can log in and "
            "cancel it. If it was not you, do so, and change your password.",
        ),
        MailTemplate.ERASURE_CANCELLED: Words(
            "Your account stays",
            "The erasure that you asked for was cancelled. If it was not you, change your password.",
        ),
        MailTemplate.ACCOUNT_CLOSED: Words(
            "Your account is closed and is being erased",
            "Your account is closed, and what is held about you is erased now, but for what the law says to keep. Keep "
            "this mail, the last one: with what follows you get the certificate that says what was kept and why.",
            "erasure-certificate",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Stationery:
    """What all mails of this installation share."""

    sender: str
    link: str | None
    """Where the pages are that take secrets; without it a mail holds the secret itself."""
    key: SecretStr | None


def compose(mail: Mail, how: Stationery) -> EmailMessage:
    """The mail as it is sent. Raises ValueError when it has a secret and there is no key to derive it with."""
    words = WORDS[MailTemplate(mail.template)]
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = how.sender, _wired(mail.address), words.subject
    message["Date"] = format_datetime(mail.occurred_at)
    message["Message-ID"] = f"<{mail.id}@fillstream>"
    # RFC 3834: nobody's holiday notice is an answer to this.
    message["Auto-Submitted"] = "auto-generated"
    lines = [words.body]
    if words.action is not None:
        lines.append(_opening(mail, words.action, how))
    if mail.expires_at is not None:
        lines.append(f"It works once, until {mail.expires_at:%Y-%m-%d %H:%M} UTC.")
    message.set_content("\n\n".join(lines) + "\n")
    return message


def _wired(address: str) -> str:
    """The address with its domain in ASCII (RFC 5891), which every server takes."""
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.encode('idna').decode()}"


def _opening(mail: Mail, action: str, how: Stationery) -> str:
    if how.key is None:
        raise ValueError("FILLSTREAM_MAIL_TOKEN_SECRET is not set, so this mail's secret can't be derived")
    token = f"{mail.tenant_id}.{mail_secret(how.key, mail.id)}"
    return token if how.link is None else f"{how.link}/{action}?{urlencode({'token': token})}"
