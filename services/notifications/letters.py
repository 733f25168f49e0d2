"""What do mails say? A subject and a few lines for each template, with the secret where it has one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from types import MappingProxyType
from urllib.parse import urlencode

import idna
from pydantic import SecretStr

from libs.kit.mail_secrets import mail_secret
from libs.schema.auth import MailTemplate
from services.notifications.model import Mail

# RFC 5322: the longest line that servers take. A link is shown whole to whoever reads the mail as it is.
_LONGEST_LINE = 998
_HARMLESS = frozenset(" -&,()'")
_LONGEST_NAME = 60


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
        MailTemplate.ROLE_CHANGED: Words(
            "Your role was changed",
            "What you may do at Fillstream was changed, and all of your sessions ended. Log in again to go on; if you did "
            "not expect this, write to our support.",
        ),
        MailTemplate.ACCOUNT_LOCKED_BY_SUPPORT: Words(
            "Our support locked your account",
            "Our support locked your account, and all of its sessions ended. Nobody can log in to it for a while, you "
            "included; another password changes nothing. Write to our support to have it opened.",
        ),
        MailTemplate.INVITATION: Words(
            "You are invited to a workspace",
            "Somebody invites you to work with them at Fillstream. Log in or register with this address, and accept, if you "
            "know who it is:",
            "accept-invitation",
        ),
        MailTemplate.SECOND_FACTOR_CHANGED: Words(
            "What you log in with beside your password was changed",
            "An authenticator application, a passkey or the recovery codes of your account were added, replaced or "
            "removed. If it was not you, change your password, end all sessions, and look at what is set up.",
        ),
        MailTemplate.SECOND_FACTOR_REFUSED: Words(
            "Somebody knows your password",
            "Somebody gave the right password of your account, and a wrong second factor three times. If it was not you, "
            "change your password now.",
        ),
        MailTemplate.RECOVERY_CODE_USED: Words(
            "A recovery code was used",
            "Somebody, probably you, logged in to your account with one of its recovery codes, which works no more. If "
            "it was not you, change your password, end all sessions, and make new codes.",
        ),
        MailTemplate.API_KEY_CREATED: Words(
            "A new API key acts for you",
            "An API key was made with which programs can act for you. If it was not you, revoke it, and change your "
            "password.",
        ),
        MailTemplate.SUPPORT_ENTERED: Words(
            "Support has entered your workspace",
            "Somebody of our support staff has entered your workspace by a grant that you gave. All that they ask for is "
            "in your audit trail. If you no longer need them, revoke the grant, and their access ends.",
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
    """The mail as it is sent.

    Raises ValueError when it has a secret and there is no key to derive it with, or when its address is none.
    """
    words, to = WORDS[MailTemplate(mail.template)], _wired(mail.address)
    # RFC 6532: a mailbox with letters beyond ASCII is written as it is; encoded words are no addresses.
    wire = policy.default.clone(utf8=not to.username.isascii(), cte_type="7bit", max_line_length=_LONGEST_LINE)
    message = EmailMessage(wire)
    message["From"], message["To"], message["Subject"] = how.sender, to, words.subject
    message["Date"] = format_datetime(mail.occurred_at)
    message["Message-ID"] = f"<{mail.id}@fillstream>"
    # RFC 3834: nobody's holiday notice is an answer to this.
    message["Auto-Submitted"] = "auto-generated"
    lines = [words.body]
    if mail.workspace_name is not None:
        lines.append(f'They call the workspace "{_harmless(mail.workspace_name)}".')
    if words.action is not None:
        lines.append(_opening(mail, words.action, how))
    if mail.expires_at is not None:
        lines.append(f"It works once, until {mail.expires_at:%Y-%m-%d %H:%M} UTC.")
    message.set_content("\n\n".join(lines) + "\n")
    return message


def _harmless(name: str) -> str:
    """A stranger's words, short, and without what makes a link of them or turns them around."""
    kept = "".join(letter if letter.isalnum() or letter in _HARMLESS else " " for letter in name)
    return " ".join(kept.split())[:_LONGEST_NAME]


def _wired(address: str) -> Address:
    """One mailbox, whatever is in its name, with its domain in ASCII, which every server takes. Raises ValueError.

    IDNA 2008 (RFC 5891), and of UTS 46 the non-transitional mapping: Python's own codec is IDNA 2003, for which ß is ss,
    and which so writes to a domain that may be somebody else's.
    """
    local, _, domain = address.rpartition("@")
    return Address(username=local, domain=idna.encode(domain, uts46=True).decode())


def _opening(mail: Mail, action: str, how: Stationery) -> str:
    if how.key is None:
        raise ValueError("FILLSTREAM_MAIL_TOKEN_SECRET is not set, so this mail's secret can't be derived")
    token = f"{mail.tenant_id}.{mail_secret(how.key, mail.id)}"
    return token if how.link is None else f"{how.link}/{action}?{urlencode({'token': token})}"
