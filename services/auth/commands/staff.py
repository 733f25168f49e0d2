"""What happens by an operator's hand? The first super admin is made, and roles are given when no colleague can."""

from __future__ import annotations

from uuid import UUID

from libs.kit.acts import SYSTEM, Origin
from libs.kit.db import Tx
from libs.kit.errors import Conflict, NotFound
from services.auth.commands.accounts import assume_role, office_hindrance
from services.auth.commands.acts import tell_of_user
from services.auth.commands.registration import make_person
from services.auth.model import PlatformRole, User, email_key
from services.auth.repository import staff, users
from services.auth.repository.users import NewUser


async def grant_role(tx: Tx, email: str, role: PlatformRole) -> User:
    """Make a user something to the installation, from their next login on. Needs a worker's transaction.

    Raises NotFound, and Conflict when they are the last super admin and would not be one any more.
    """
    user = await _lock(tx, email)
    if PlatformRole.SUPER_ADMIN in {role, user.platform_role}:
        await staff.lock_office(tx)
    refusal = None if role is PlatformRole.SUPER_ADMIN else await office_hindrance(tx, user)
    if refusal is not None:
        raise refusal
    await assume_role(tx, user, role, SYSTEM)
    return user


async def appoint_first(tx: Tx, email: str) -> User:
    """Make a user the first super admin. Needs a worker's transaction.

    Raises NotFound, and Conflict when there is one already or the user is shut out.
    """
    user = await _lock(tx, email)
    # The person before the office, as everywhere: of several at once, all but one find that there is somebody.
    await staff.lock_office(tx)
    await refuse_second(tx)
    if not user.may_be_acted_for(tx.now):
        raise Conflict(f"{user.email} is locked, deactivated or deleted", slug="shut-out")
    await assume_role(tx, user, PlatformRole.SUPER_ADMIN, SYSTEM)
    return user


async def enrol_first(tx: Tx, new: NewUser, workspace_id: UUID) -> User:
    """Register the first super admin. Needs a worker's transaction. Raises Conflict as `appoint_first` and `make_person` do.

    The operator, who chose the password, vouches for the address: an installation may not send mails yet.
    """
    user = (await make_person(tx, new, workspace_id, None)).user
    tell_of_user(tx, "user.registered", user, Origin())
    tx.publish(user, *user.verify_email(tx.now))
    return await appoint_first(tx, new.email)


async def refuse_second(tx: Tx) -> None:
    """Raise Conflict when there is a super admin, in whatever state."""
    if await staff.super_admins(tx):
        raise Conflict("there is a super admin already: they give the roles from now on", slug="super-admin-exists")


async def _lock(tx: Tx, email: str) -> User:
    user = (await users.lock_by_email(tx, [email])).get(email_key(email))
    if user is None:
        raise NotFound("user", email)
    return user
