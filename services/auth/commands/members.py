"""What happens to members? Their roles change, they leave or are removed, and their access ends with it."""

from __future__ import annotations

from uuid import UUID

from libs.kit.acts import Act, Actor, Target, tell_act
from libs.kit.db import Tx
from services.auth.commands.api_keys import revoke_of_former_member
from services.auth.commands.workspaces import lock_owned, person_behind
from services.auth.model import Membership, Role
from services.auth.repository import workspaces


async def change_role(tx: Tx, workspace_id: UUID, user_id: UUID, role: Role, by: Actor) -> Membership:
    """Let the owner say what a member is. Raises NotFound, Forbidden, and Conflict for the owner's own role."""
    workspace = await lock_owned(tx, workspace_id, by)
    member = await workspaces.lock_member(tx, workspace_id, user_id)
    previous, told = member.role, workspace.change_role(member, role, tx.now)
    if told:
        tx.publish(workspace, *told)
        reason = f"{previous} to {role}"
        tell_act(tx, workspace_id, Act("member.role_changed", by, Target("user", user_id), reason=reason))
    return member


async def remove(tx: Tx, workspace_id: UUID, user_id: UUID, by: Actor) -> None:
    """Let the owner remove a member, or a member leave; their keys for the workspace are over for good.

    Raises NotFound, Forbidden, and Conflict for the owner.
    """
    if person_behind(by) == user_id:
        workspace = await workspaces.lock_workspace(tx, workspace_id)
    else:
        workspace = await lock_owned(tx, workspace_id, by)
    member = await workspaces.lock_member(tx, workspace_id, user_id)
    tx.publish(workspace, *workspace.remove(member, tx.now))
    await tx.delete(member)
    await revoke_of_former_member(tx, workspace_id, user_id, by, person_behind(by) or user_id)
    tell_act(tx, workspace_id, Act("member.removed", by, Target("user", user_id), reason=member.role))
