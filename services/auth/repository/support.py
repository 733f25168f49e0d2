"""What is the SQL of support grants? Locked in their own workspace, where alone anything can be changed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import select

from libs.kit.db import Tx
from libs.kit.errors import NotFound
from services.auth.model import HELPERS, SupportGrant, User


async def lock_grant(tx: Tx, workspace_id: UUID, grant_id: UUID) -> SupportGrant:
    """A grant of the workspace that `tx` is a transaction of, locked until it ends. Raises NotFound."""
    found = select(SupportGrant).where(SupportGrant.id == grant_id, SupportGrant.tenant_id == workspace_id)
    grant = await tx.scalar(found.with_for_update())
    if grant is None:
        raise NotFound("support grant", grant_id)
    return grant


async def lock_live_of(tx: Tx, owner_ids: Collection[UUID]) -> Sequence[SupportGrant]:
    """The grants of these people that somebody can still come by, locked in one order. Needs a worker's transaction."""
    live = select(SupportGrant).where(
        SupportGrant.granted_by.in_(owner_ids), SupportGrant.revoked_at.is_(None), SupportGrant.expires_at > tx.now
    )
    return await tx.scalars(live.order_by(SupportGrant.id).with_for_update())


async def is_helper(tx: Tx, user_id: UUID) -> bool:
    """Whether somebody can be let in by name."""
    found = select(User.id).where(
        User.id == user_id, User.platform_role.in_(HELPERS), User.is_active, User.deleted_at.is_(None)
    )
    return await tx.scalar(found) is not None


async def visits(tx: Tx, user_ids: Sequence[UUID]) -> list[tuple[UUID, UUID]]:
    """Which of these people, if they are staff, came into which workspaces by grants that count. Needs a worker's transaction."""
    rows = await tx.fetch(
        """
        SELECT DISTINCT u.id, g.tenant_id
        FROM auth."user" u JOIN auth.support_grant g ON u.id = ANY(g.entered_by)
        WHERE u.id = ANY($1::uuid[]) AND u.platform_role = ANY($2::text[]) AND g.revoked_at IS NULL AND g.expires_at > $3
        ORDER BY u.id, g.tenant_id
        """,
        list(user_ids),
        sorted(HELPERS),
        tx.now,
    )
    return [(row[0], row[1]) for row in rows]
