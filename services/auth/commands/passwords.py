"""What happens to a password? It is changed by who knows it, or reset by who gets the person's mail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from libs.kit.acts import Origin
from libs.kit.db import Tx
from libs.kit.model import Occurrence
from libs.schema.auth import MailTemplate, PasswordChange, PasswordResetRequested, SessionEnd
from libs.schema.event import Cause
from services.auth.commands.acts import tell_of_refused, tell_of_user
from services.auth.commands.first_proof import prove_address
from services.auth.commands.logins import forgive
from services.auth.commands.mails import Mailing, use_token, write_to
from services.auth.commands.sessions import end_sessions
from services.auth.model import User, email_key
from services.auth.model.mailed_token import Purpose
from services.auth.repository import mailed_tokens, users
from services.auth.tokens import Ticket

_BETWEEN_RESETS = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Asked:
    """An address whose password somebody forgot, and the event that told it."""

    email: str
    cause: Cause


@dataclass(frozen=True, slots=True)
class NewPassword:
    """The hash that a person wants to be known by, and the one that they showed to know the password of."""

    user_id: UUID
    known_hash: str = field(repr=False)
    new_hash: str = field(repr=False)


def refuse_change(tx: Tx, user: User, origin: Origin) -> None:
    """Tell that somebody did not know the password that they wanted to replace. The caller commits before it refuses."""
    tell_of_refused(tx, "password.changed", user, origin, "wrong password")


async def change_password(tx: Tx, changed: NewPassword, origin: Origin, session_id: UUID | None) -> bool:
    """Replace the password that was checked before; whether it was still that one.

    All other sessions of the person end, and they are told.
    """
    user = await users.lock_user(tx, changed.user_id)
    if user.password_hash != changed.known_hash:
        return False
    tx.publish(user, *user.change_password(changed.new_hash, PasswordChange.CHANGED, tx.now))
    tell_of_user(tx, "password.changed", user, origin)
    await _begin_anew(tx, user, origin, session_id)
    return True


def ask_for_reset(tx: Tx, email: str) -> None:
    """Note that somebody forgot the password of an address; the same is done whether or not anybody has it."""
    tx.publish(Occurrence(None), PasswordResetRequested(occurred_at=tx.now, email=email))


async def send_resets(tx: Tx, mailing: Mailing, requests: Sequence[Asked]) -> None:
    """Send those of the addresses who are somebody a token that lets them choose another password."""
    known = await users.lock_by_email(tx, [asked.email for asked in requests])
    for asked in requests:
        user = known.get(email_key(asked.email))
        if user is None or not user.is_present:
            continue
        # Whoever asks again and again neither fills a mailbox nor keeps the token that is under way from working.
        if not await mailed_tokens.sent_since(tx, user.id, Purpose.RESET_PASSWORD, tx.now - _BETWEEN_RESETS):
            await mailing.send(tx, user, Purpose.RESET_PASSWORD, asked.cause)


async def reset_password(tx: Tx, presented: Ticket, new_hash: str, origin: Origin) -> bool:
    """Choose another password with a mailed token; whether the token worked. It shows that mail reaches the person.

    If that was not shown before, all that was there before goes, second factors too.
    """
    used = await use_token(tx, presented, Purpose.RESET_PASSWORD)
    if used is None or not used.user.is_present:
        return False
    user = used.user
    tx.publish(user, *user.change_password(new_hash, PasswordChange.RESET, tx.now))
    tell_of_user(tx, "password.reset", user, origin)
    await _begin_anew(tx, user, origin, None)
    if used.token.email == user.email:
        await prove_address(tx, user, origin)
    return True


async def _begin_anew(tx: Tx, user: User, origin: Origin, session_id: UUID | None) -> None:
    """What the old password has opened ends, but for the session that changed it; what failed with it is forgiven."""
    await mailed_tokens.void_tokens(tx, user.id, Purpose.RESET_PASSWORD)
    await end_sessions(tx, user.id, SessionEnd.PASSWORD_CHANGED, origin, spared=session_id)
    await forgive(tx, user)
    write_to(tx, user, MailTemplate.PASSWORD_CHANGED)
