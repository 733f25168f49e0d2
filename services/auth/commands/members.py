"""What happens to members? Their roles change, they leave or are removed, and their access ends with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from libs.kit.acts import Act, Actor, Target, tell_act
from libs.kit.db import Tx
from libs.kit.model import Occurrence
from libs.schema.auth import AccessRevoked
from libs.schema.event import Cause
from services.auth.commands.workspaces import lock_owned, person_behind
from services.auth.model import Membership, Role
from services.auth.repository import workspaces


@dataclass(frozen=True, slots=True)
class Loss:
    """Somebody may do less in a workspace than before, or nothing, and the event that told it."""

    user_id: UUID
    workspace_id: UUID
    cause: Cause


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
    """Let the owner remove a member, or a member leave. Raises NotFound, Forbidden, and Conflict for the owner."""
    if person_behind(by) == user_id:
        workspace = await workspaces.lock_workspace(tx, workspace_id)
    else:
        workspace = await lock_owned(tx, workspace_id, by)
    member = await workspaces.lock_member(tx, workspace_id, user_id)
    tx.publish(workspace, *workspace.remove(member, tx.now))
    await tx.delete(member)
    tell_act(tx, workspace_id, Act("member.removed", by, Target("user", user_id), reason=member.role))


async def end_access(tx: Tx, losses: Sequence[Loss]) -> None:
    """Let no access token that was made for what a person was before be taken any more. Needs a worker's transaction.

    Their sessions are in their home and go on: the next token is made for what the person is by then.
    """
    for loss in losses:
        # Exact, as far as the clocks of auth's replicas agree, because this transaction began after the change had been
        # committed: whoever read the role before that had begun before, and has an earlier time in their token. A newer
        # token that is refused as well is refreshed.
        revoked = AccessRevoked(
            occurred_at=tx.now,
            user_id=loss.user_id,
            session_id=None,
            workspace_id=loss.workspace_id,
            issued_before=tx.now,
        )
        tx.publish(Occurrence(loss.workspace_id), revoked, cause=loss.cause)
