"""What happens when somebody registers? A user, their workspace, and their part in it."""

from __future__ import annotations

from uuid import UUID

from libs.kit.acts import Origin
from libs.kit.db import Tx
from libs.kit.errors import Conflict
from services.auth.commands.acts import tell_of_user
from services.auth.commands.mails import Mailing
from services.auth.commands.referrals import bringer_of
from services.auth.model import Membership, Role, Workspace
from services.auth.model.mailed_token import Purpose
from services.auth.repository import users
from services.auth.repository.users import NewUser

DEFAULT_WORKSPACE_NAME = "Personal"


async def register(
    tx: Tx, mailing: Mailing, new: NewUser, workspace_id: UUID, workspace_name: str | None, origin: Origin
) -> Workspace:
    """Make a user and their workspace, which `tx` is a transaction of.

    Raises Conflict when the address is taken, and Invalid for a referral code that does not work.
    A mail goes out that proves the address.
    """
    brought_by = await bringer_of(tx, new.referral_code)
    user = await users.insert_user(tx, new, workspace_id, brought_by)
    if user is None:
        raise Conflict("this e-mail address is registered already", slug="email-taken")
    name = workspace_name or DEFAULT_WORKSPACE_NAME
    workspace = Workspace(id=workspace_id, tenant_id=workspace_id, name=name, owner_id=user.id)
    tx.add(workspace)
    await tx.flush()
    tx.add(Membership(tenant_id=workspace_id, user_id=user.id, role=Role.OWNER))
    tx.publish(workspace, *workspace.welcome(user, tx.now))
    await mailing.send(tx, user, Purpose.VERIFY_EMAIL)
    tell_of_user(tx, "user.registered", user, origin)
    return workspace
