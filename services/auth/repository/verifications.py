"""What is the SQL of verifications? Those whose time is over, in sets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from libs.kit.db import Tx
from services.auth.model import Kyc
from services.auth.model.kyc import KycState


async def lock_expired(tx: Tx, now: datetime, limit: int) -> Sequence[Kyc]:
    """Up to `limit` verifications of all workspaces that were over by `now`, without those that another process ends."""
    statement = (
        select(Kyc)
        .where(Kyc.state == KycState.VERIFIED, Kyc.expires_at <= now)
        .order_by(Kyc.expires_at, Kyc.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return await tx.scalars(statement)
