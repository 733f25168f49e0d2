"""What can be read of sessions? Those of a person that go on, and every try to log in as them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select, tuple_

from libs.kit.db import Tx
from libs.kit.http.pagination import PageRequest
from services.auth.model import Login, Session


async def open_sessions(tx: Tx, user_id: UUID) -> Sequence[Session]:
    """The sessions of the person that can be gone on with, the newest first."""
    return await tx.scalars(
        select(Session)
        .where(Session.user_id == user_id, Session.ended_at.is_(None), Session.expires_at > tx.now)
        .order_by(Session.id.desc())
    )


async def logins(tx: Tx, user_id: UUID, page: PageRequest) -> Sequence[Login]:
    """Tries to log in as the person, the newest first, and one more than the page holds."""
    statement = select(Login).where(Login.user_id == user_id)
    if page.after is not None:
        statement = statement.where(tuple_(Login.at, Login.id) < (page.after.at, page.after.id))
    return await tx.scalars(statement.order_by(Login.at.desc(), Login.id.desc()).limit(page.limit + 1))
