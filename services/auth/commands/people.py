"""What happens to people? They describe themselves, prove their address, and unlock it by mail."""

from __future__ import annotations

from uuid import UUID

from libs.kit.acts import Origin
from libs.kit.db import Tx
from libs.kit.errors import RateLimited
from libs.schema.audit import ActResult
from services.auth.commands.acts import tell_of_user
from services.auth.commands.first_proof import prove_address
from services.auth.commands.logins import forgive
from services.auth.commands.mails import Mailing, use_token
from services.auth.model import User
from services.auth.model.mailed_token import Purpose
from services.auth.model.user import PersonalDetails
from services.auth.repository import users
from services.auth.repository.users import Credentials
from services.auth.tokens import Ticket


async def describe(tx: Tx, user: User, details: PersonalDetails) -> None:
    """Replace what a person, whose row `tx` has locked, says of themselves. Raises Conflict for a taken user name."""
    tx.publish(user, *user.describe(details, tx.now))
    await users.save_described(tx, user)


async def ask_for_verification(tx: Tx, mailing: Mailing, user_id: UUID) -> None:
    """Send the person a token that shows that mail reaches them; nothing when it is shown already.

    Raises RateLimited when they were sent too many.
    """
    user = await users.lock_user(tx, user_id)
    if not user.is_present or user.email_verified:
        return
    verdict = await mailing.send(tx, user, Purpose.VERIFY_EMAIL)
    if not verdict.allowed:
        raise RateLimited("your address was written to too often lately", retry_after=verdict.retry_after)


async def verify_email(tx: Tx, mailing: Mailing, presented: Ticket, shown: Credentials | None, origin: Origin) -> bool:
    """Take a mailed token as proof of an address; whether it was one.

    `shown` is what the password was found right for that came with the token. Whoever has not shown it did not choose it: it
    works no more, and a mail lets them choose one.
    """
    used = await use_token(tx, presented, Purpose.VERIFY_EMAIL)
    if used is None or used.token.email != used.user.email or not used.user.is_present:
        return False
    user = used.user
    chosen = shown is not None and user.password_changed_at == shown.password_changed_at
    if not user.email_verified and not chosen:
        user.forget_password(tx.now)
        await mailing.send(tx, user, Purpose.RESET_PASSWORD)
    await prove_address(tx, user, origin)
    tell_of_user(tx, "email.verified", user, origin)
    return True


async def unlock_by_mail(tx: Tx, presented: Ticket, origin: Origin) -> bool:
    """Let a person in again who got the mail about their lock; whether the token worked. It opens no lock of support's."""
    used = await use_token(tx, presented, Purpose.UNLOCK)
    if used is None:
        return False
    user = used.user
    if user.is_held(tx.now):
        tell_of_user(tx, "user.unlocked", user, origin, "locked by support", ActResult.REFUSED)
        return False
    tx.publish(user, *user.unlock_oneself(tx.now))
    await forgive(tx, user)
    tell_of_user(tx, "user.unlocked", user, origin)
    return True
