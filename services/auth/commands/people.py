"""What happens to people? They describe themselves, prove their address, and unlock it by mail."""

from __future__ import annotations

from uuid import UUID

from libs.kit.acts import Origin
from libs.kit.db import Tx
from libs.schema.audit import ActResult
from services.auth.commands.acts import tell_of_user
from services.auth.commands.logins import forgive
from services.auth.commands.mails import Mailing, use_token
from services.auth.commands.onboarding import note_steps
from services.auth.model import User
from services.auth.model.mailed_token import Purpose
from services.auth.model.onboarding import StepName
from services.auth.model.user import PersonalDetails
from services.auth.repository import users
from services.auth.tokens import Ticket


async def describe(tx: Tx, user: User, details: PersonalDetails) -> None:
    """Replace what a person, whose row `tx` has locked, says of themselves. Raises Conflict for a taken user name."""
    tx.publish(user, *user.describe(details, tx.now))
    await users.save_described(tx, user)


async def ask_for_verification(tx: Tx, mailing: Mailing, user_id: UUID) -> None:
    """Send the person a token that shows that mail reaches them; nothing when it is shown already."""
    user = await users.lock_user(tx, user_id)
    if user.is_present and not user.email_verified:
        await mailing.send(tx, user, Purpose.VERIFY_EMAIL)


async def verify_email(tx: Tx, presented: Ticket, origin: Origin) -> bool:
    """Take a mailed token as proof of an address; whether it was one."""
    used = await use_token(tx, presented, Purpose.VERIFY_EMAIL)
    if used is None or used.token.email != used.user.email or not used.user.is_present:
        return False
    user = used.user
    tx.publish(user, *user.verify_email(tx.now))
    await note_steps(tx, user.default_workspace_id, user.id, (StepName.VERIFY_EMAIL,))
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
