"""What is the SQL of challenges? Found by hash, locked; those whose time is over go as new ones come."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, select, update

from libs.kit.db import Tx
from services.auth.model import LoginChallenge

_SWEPT = 20


async def owner_of(tx: Tx, secret_hash: bytes) -> UUID | None:
    """Whose challenge it is, or None. People are locked before their challenges."""
    return await tx.scalar(select(LoginChallenge.user_id).where(LoginChallenge.secret_hash == secret_hash))


async def lock_challenge(tx: Tx, secret_hash: bytes) -> LoginChallenge | None:
    """The challenge, locked until the transaction ends; None when there is none."""
    return await tx.scalar(select(LoginChallenge).where(LoginChallenge.secret_hash == secret_hash).with_for_update())


async def void_challenges(tx: Tx, user_id: UUID) -> None:
    """Let none of the person's challenges be answered any more."""
    waiting = update(LoginChallenge).where(LoginChallenge.user_id == user_id, LoginChallenge.used_at.is_(None))
    await tx.execute(waiting.values(used_at=tx.now))


async def sweep_challenges(tx: Tx, home_id: UUID) -> None:
    """Forget some that nobody can answer any more; never waits for whoever holds one."""
    over = (
        select(LoginChallenge.id)
        .where(LoginChallenge.tenant_id == home_id, LoginChallenge.expires_at < tx.now)
        .limit(_SWEPT)
        .with_for_update(skip_locked=True)
    )
    await tx.execute(delete(LoginChallenge).where(LoginChallenge.id.in_(over)))
