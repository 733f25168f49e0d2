"""What is the SQL of sessions? Found by their secret's hash, locked and revoked whole."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update

from libs.kit.db import Tx
from services.auth.model import RefreshToken


async def lock_session(tx: Tx, token_hash: bytes) -> RefreshToken | None:
    """The refresh token, its whole family locked until the transaction ends.

    The family's first token is the lock: a token that joins the family while another one is judged could otherwise
    escape its revocation.
    """
    family = select(RefreshToken.family_id).where(RefreshToken.token_hash == token_hash).scalar_subquery()
    await tx.scalar(select(RefreshToken.id).where(RefreshToken.id == family).with_for_update())
    return await tx.scalar(select(RefreshToken).where(RefreshToken.token_hash == token_hash))


async def revoke_family(tx: Tx, family_id: UUID, at: datetime) -> None:
    """End a session, whatever token of it is out there."""
    await tx.execute(
        update(RefreshToken)
        .where(RefreshToken.family_id == family_id, RefreshToken.revoked_at.is_(None))
        .values(revoked_at=at)
    )
