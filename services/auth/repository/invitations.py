"""What is the SQL of invitations? Each names its workspace: a person sees those to their own address of all of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import func, select

from libs.kit.db import Tx
from services.auth.model import Invitation, InvitationState


async def lock_by_token(tx: Tx, workspace_id: UUID, token_hash: bytes) -> Invitation | None:
    """A workspace's invitation by what stands in its mail, locked until the transaction ends."""
    return await tx.scalar(
        select(Invitation)
        .where(Invitation.tenant_id == workspace_id, Invitation.token_hash == token_hash)
        .with_for_update()
    )


async def lock_pending(tx: Tx, workspace_id: UUID, invitation_id: UUID) -> Invitation | None:
    """A workspace's invitation that nobody has answered, in time or not, locked until the transaction ends."""
    return await tx.scalar(
        select(Invitation)
        .where(
            Invitation.tenant_id == workspace_id,
            Invitation.id == invitation_id,
            Invitation.state == InvitationState.PENDING,
        )
        .with_for_update()
    )


async def lock_pending_to(tx: Tx, workspace_id: UUID, email_key: str) -> Invitation | None:
    """The one to an address that nobody has answered, in time or not, locked until the transaction ends."""
    return await tx.scalar(
        select(Invitation)
        .where(
            Invitation.tenant_id == workspace_id,
            Invitation.email_key == email_key,
            Invitation.state == InvitationState.PENDING,
        )
        .with_for_update()
    )


async def lock_pending_of(tx: Tx, inviter_ids: Collection[UUID]) -> Sequence[Invitation]:
    """Those that these people sent and nobody has answered, locked in one order. Needs a worker's transaction."""
    sent = select(Invitation).where(Invitation.invited_by.in_(inviter_ids), Invitation.state == InvitationState.PENDING)
    return await tx.scalars(sent.order_by(Invitation.id).with_for_update())


async def count_pending(tx: Tx, workspace_id: UUID) -> int:
    """How many a workspace waits for an answer to."""
    counted = select(func.count()).select_from(Invitation)
    waiting = counted.where(
        Invitation.tenant_id == workspace_id,
        Invitation.state == InvitationState.PENDING,
        Invitation.expires_at > tx.now,
    )
    return await tx.scalar(waiting) or 0
