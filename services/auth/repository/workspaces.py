"""What is the SQL of workspaces and their members? Each names its workspace: a person sees their own rows of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select

from libs.kit.db import Tx
from libs.kit.errors import NotFound
from services.auth.model import Membership, User, Workspace
from services.auth.repository.users import ask_as


async def lock_known(tx: Tx, workspace_id: UUID) -> Workspace | None:
    """The workspace, locked until the transaction ends, or None. Rows that refer to it may be made meanwhile."""
    return await tx.scalar(select(Workspace).where(Workspace.id == workspace_id).with_for_update(key_share=True))


async def lock_workspace(tx: Tx, workspace_id: UUID) -> Workspace:
    """The same. Raises NotFound."""
    workspace = await lock_known(tx, workspace_id)
    if workspace is None:
        raise NotFound("workspace", workspace_id)
    return workspace


async def lock_known_member(tx: Tx, workspace_id: UUID, user_id: UUID) -> Membership | None:
    """A member of a workspace that is locked, or None."""
    return await tx.scalar(
        select(Membership)
        .where(Membership.tenant_id == workspace_id, Membership.user_id == user_id)
        .with_for_update(key_share=True)
    )


async def lock_member(tx: Tx, workspace_id: UUID, user_id: UUID) -> Membership:
    """The same. Raises NotFound."""
    member = await lock_known_member(tx, workspace_id, user_id)
    if member is None:
        raise NotFound("member", user_id)
    return member


async def member_ids(tx: Tx, workspace_id: UUID) -> Sequence[UUID]:
    """Everybody who is in a workspace. Needs a worker's transaction."""
    return await tx.scalars(select(Membership.user_id).where(Membership.tenant_id == workspace_id))


async def has_member_at(tx: Tx, workspace_id: UUID, email_key: str) -> bool:
    """Whether somebody with this address is a member."""
    found = await tx.scalar(
        select(Membership.user_id)
        .join(User, User.id == Membership.user_id)
        .where(Membership.tenant_id == workspace_id, User.email_key == email_key)
    )
    return found is not None


async def count_owned(tx: Tx, user_id: UUID) -> int:
    """How many workspaces a person owns, whichever the transaction's is."""
    await ask_as(tx, user_id)
    return await tx.scalar(select(func.count()).select_from(Workspace).where(Workspace.owner_id == user_id)) or 0
