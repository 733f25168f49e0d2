"""What can be read of invitations? Those that a workspace waits for, and those to a person's own address."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, select, tuple_

from libs.kit.db import Tx
from libs.kit.http.pagination import PageRequest
from services.auth.model import Invitation, InvitationState, User
from services.auth.repository.users import ask_as


async def pending(tx: Tx, workspace_id: UUID, page: PageRequest) -> Sequence[Invitation]:
    """Those of a workspace that can still be accepted, the newest first; one more than the page holds."""
    return await tx.scalars(_waiting(tx, page).where(Invitation.tenant_id == workspace_id))


async def to_person(tx: Tx, user: User, page: PageRequest) -> Sequence[Invitation]:
    """Those of all workspaces to a person's address that they can still accept, the newest first; one more."""
    if not user.email_verified:
        return []
    await ask_as(tx, user.id)
    return await tx.scalars(_waiting(tx, page).where(Invitation.email_key == user.email_key))


async def workspace_of(tx: Tx, user: User, invitation_id: UUID) -> UUID | None:
    """Which workspace an invitation to a person's own, verified address comes from; None for all others."""
    await ask_as(tx, user.id)
    return await tx.scalar(
        select(Invitation.tenant_id).where(Invitation.id == invitation_id, Invitation.email_key == user.email_key)
    )


def _waiting(tx: Tx, page: PageRequest) -> Select[Invitation]:
    statement = select(Invitation).where(Invitation.state == InvitationState.PENDING, Invitation.expires_at > tx.now)
    if page.after is not None:
        statement = statement.where(tuple_(Invitation.created_at, Invitation.id) < (page.after.at, page.after.id))
    return statement.order_by(Invitation.created_at.desc(), Invitation.id.desc()).limit(page.limit + 1)
