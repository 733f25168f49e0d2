"""What is the SQL of mailed tokens? Found by hash, locked; older ones of a purpose are replaced."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select, update

from libs.kit.db import Tx
from services.auth.model.mailed_token import MailedToken, Purpose


async def lock_token(tx: Tx, token_hash: bytes, purpose: Purpose) -> MailedToken | None:
    """The token for this purpose, locked until the transaction ends; None when there is none."""
    return await tx.scalar(
        select(MailedToken)
        .where(MailedToken.token_hash == token_hash, MailedToken.purpose == purpose)
        .with_for_update()
    )


async def void_tokens(tx: Tx, user_id: UUID, purpose: Purpose) -> None:
    """Let none of the person's tokens for this purpose work any more."""
    await tx.execute(
        update(MailedToken)
        .where(MailedToken.user_id == user_id, MailedToken.purpose == purpose, MailedToken.used_at.is_(None))
        .values(used_at=tx.now)
    )
