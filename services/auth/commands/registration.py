"""What happens when somebody registers? A user, their workspace, and their part in it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from libs.kit.acts import Origin
from libs.kit.db import Tx
from libs.kit.errors import Conflict
from services.auth.commands.acts import tell_of_user
from services.auth.commands.mails import Mailing
from services.auth.commands.referrals import bringer_of
from services.auth.model import Membership, Role, User, Workspace
from services.auth.model.mailed_token import Purpose
from services.auth.repository import users
from services.auth.repository.users import NewUser

DEFAULT_WORKSPACE_NAME = "Personal"


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody who was made just now, and their home."""

    user: User
    workspace: Workspace


async def make_person(tx: Tx, new: NewUser, workspace_id: UUID, workspace_name: str | None) -> Newcomer:
    """Make a user and their workspace, which `tx` is a transaction of.

    Raises Conflict when the address is taken, and Invalid for a referral code that does not work.
    """
    user = await users.insert_user(tx, new, workspace_id, await bringer_of(tx, new.referral_code))
    if user is None:
        raise Conflict("this e-mail address is registered already", slug="email-taken")
    name = workspace_name or DEFAULT_WORKSPACE_NAME
    workspace = Workspace(id=workspace_id, tenant_id=workspace_id, name=name, owner_id=user.id)
    tx.add(workspace)
    await tx.flush()
    tx.add(Membership(tenant_id=workspace_id, user_id=user.id, role=Role.OWNER))
    tx.publish(workspace, *workspace.welcome(user, tx.now))
    return Newcomer(user, workspace)


async def register(
    tx: Tx, mailing: Mailing, new: NewUser, workspace_id: UUID, workspace_name: str | None, origin: Origin
) -> Workspace:
    """Make a person, as `make_person` does. A mail goes out that proves the address."""
    made = await make_person(tx, new, workspace_id, workspace_name)
    await mailing.send(tx, made.user, Purpose.VERIFY_EMAIL)
    tell_of_user(tx, "user.registered", made.user, origin)
    return made.workspace
