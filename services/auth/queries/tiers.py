"""What can be read of tiers? The plan that the transaction's workspace is on."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from libs.kit.db import Tx
from services.auth.model import Tier


async def tier(tx: Tx, workspace_id: UUID) -> str | None:
    """The plan's name; None before billing has said anything."""
    return await tx.scalar(select(Tier.plan).where(Tier.tenant_id == workspace_id))
