"""What is the SQL of mailed tokens? Found by hash, locked; with one, all of its purpose are used up."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update

from libs.kit.db import Tx
from services.auth.model.mailed_token import MailedToken, Purpose


async def owner_of(tx: Tx, token_hash: bytes, purpose: Purpose) -> UUID | None:
    """Whose token it is, or None. People are locked before their tokens."""
    return await tx.scalar(
        select(MailedToken.user_id).where(MailedToken.token_hash == token_hash, MailedToken.purpose == purpose)
    )


async def sent_since(tx: Tx, user_id: UUID, purpose: Purpose, moment: datetime) -> bool:
    """Whether the person was sent such a token after a moment, and has not used it."""
    found = await tx.scalar(
        select(MailedToken.id)
        .where(
            MailedToken.user_id == user_id,
            MailedToken.purpose == purpose,
            MailedToken.created_at > moment,
            MailedToken.used_at.is_(None),
        )
        .limit(1)
    )
    return found is not None


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
