"""What happens when somebody registers? A user, their workspace, and their part in it."""

from __future__ import annotations

from uuid import UUID

from libs.kit.acts import Act, Actor, Origin, Target, tell_act
from libs.kit.db import Tx
from libs.kit.errors import Conflict
from libs.schema.audit import ActorKind
from services.auth.model import Membership, Role, Workspace
from services.auth.repository import users
from services.auth.repository.users import NewUser

DEFAULT_WORKSPACE_NAME = "Personal"


async def register(tx: Tx, new: NewUser, workspace_id: UUID, workspace_name: str | None, origin: Origin) -> Workspace:
    """Make a user and their workspace, which `tx` is a transaction of. Raises Conflict when the address is taken."""
    user = await users.insert_user(tx, new, workspace_id)
    if user is None:
        raise Conflict("this e-mail address is registered already", slug="email-taken")
    name = workspace_name or DEFAULT_WORKSPACE_NAME
    workspace = Workspace(id=workspace_id, tenant_id=workspace_id, name=name, owner_id=user.id)
    tx.add(workspace)
    await tx.flush()
    tx.add(Membership(tenant_id=workspace_id, user_id=user.id, role=Role.OWNER))
    tx.publish(workspace, *workspace.welcome(user, tx.now))
    tell_act(
        tx, workspace_id, Act("user.registered", Actor(ActorKind.USER, user.id, origin=origin), Target("user", user.id))
    )
    return workspace
