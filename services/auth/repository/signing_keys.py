"""What is the SQL of signing keys? Those that tokens can still be checked with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, or_, select

from libs.kit.db import Tx
from services.auth.model import SigningKey


async def lock(tx: Tx) -> None:
    """Let one replica at a time add a key."""
    await tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("auth.signing_key", 0))))


async def every(tx: Tx) -> Sequence[SigningKey]:
    """All keys that ever signed, the oldest first: for what is checked long after it was signed."""
    return await tx.scalars(select(SigningKey).order_by(SigningKey.active_from))


async def current(tx: Tx, retired_after: datetime) -> Sequence[SigningKey]:
    """The keys that tokens may still be checked with, the oldest first."""
    statement = (
        select(SigningKey)
        .where(or_(SigningKey.retired_at.is_(None), SigningKey.retired_at > retired_after))
        .order_by(SigningKey.active_from)
    )
    return await tx.scalars(statement)
