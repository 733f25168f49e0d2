"""What is the SQL of sessions? Found by their refresh tokens' hashes, locked, and read whole for one person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update

from libs.kit.db import Tx
from libs.kit.errors import NotFound
from services.auth.model import RefreshToken, Session
from services.auth.repository.users import ask_as


@dataclass(frozen=True, slots=True)
class Held:
    """A refresh token and its session, which is locked."""

    token: RefreshToken
    session: Session


async def owner_of(tx: Tx, token_hash: bytes) -> UUID | None:
    """Whose session a refresh token belongs to, or None. People are locked before their sessions."""
    return await tx.scalar(
        select(Session.user_id)
        .join(RefreshToken, RefreshToken.session_id == Session.id)
        .where(RefreshToken.token_hash == token_hash)
    )


async def lock_by_token(tx: Tx, token_hash: bytes) -> Held | None:
    """The session that a refresh token belongs to, locked until the transaction ends; None for an unknown token.

    The token is read after the lock is held: what another request made of it meanwhile is seen.
    """
    of = select(RefreshToken.session_id).where(RefreshToken.token_hash == token_hash).scalar_subquery()
    session = await tx.scalar(select(Session).where(Session.id == of).with_for_update())
    token = await tx.scalar(select(RefreshToken).where(RefreshToken.token_hash == token_hash))
    return None if session is None or token is None else Held(token, session)


async def token_of(tx: Tx, session_id: UUID, token_hash: bytes) -> RefreshToken | None:
    """A refresh token of a session, which `tx` has locked."""
    found = select(RefreshToken).where(RefreshToken.session_id == session_id, RefreshToken.token_hash == token_hash)
    return await tx.scalar(found)


async def forget_salts(tx: Tx, session_id: UUID, used_before: datetime) -> None:
    """Let nothing lead from the tokens of a session that were used before then to those that came after them."""
    over = update(RefreshToken).where(
        RefreshToken.session_id == session_id,
        RefreshToken.used_at < used_before,
        RefreshToken.successor_salt.is_not(None),
    )
    await tx.execute(over.values(successor_salt=None))


async def goes_on(tx: Tx, user_id: UUID, session_id: UUID) -> bool:
    """Whether a session of the person can be gone on with now, whatever workspace the transaction is of."""
    await ask_as(tx, user_id)
    open_one = select(Session.id).where(
        Session.id == session_id, Session.user_id == user_id, Session.ended_at.is_(None), Session.expires_at > tx.now
    )
    return await tx.scalar(open_one) is not None


async def lock_session(tx: Tx, user_id: UUID, session_id: UUID) -> Session:
    """A session of the person, locked until the transaction ends. Raises NotFound."""
    session = await tx.scalar(
        select(Session).where(Session.id == session_id, Session.user_id == user_id).with_for_update()
    )
    if session is None:
        raise NotFound("session", session_id)
    return session


async def lock_open_sessions(tx: Tx, user_id: UUID) -> Sequence[Session]:
    """All sessions of the person that can be gone on with, locked in the order in which they were opened."""
    return await tx.scalars(
        select(Session)
        .where(Session.user_id == user_id, Session.ended_at.is_(None), Session.expires_at > tx.now)
        .order_by(Session.id)
        .with_for_update()
    )
