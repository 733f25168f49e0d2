"""What can be read of API keys? A person's own, and all of a workspace for its owner."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select, tuple_

from libs.kit.db import Tx
from libs.kit.errors import NotFound
from libs.kit.http.pagination import PageRequest
from services.auth.model import ApiKey
from services.auth.repository import api_keys


async def kept_keys(tx: Tx, user_id: UUID, workspace_id: UUID, page: PageRequest) -> Sequence[ApiKey]:
    """The keys that a person may see and nobody has revoked, the newest first, and one more than the page holds."""
    statement = select(ApiKey).where(ApiKey.revoked_at.is_(None))
    if not await api_keys.sees_all(tx, user_id, workspace_id):
        statement = statement.where(ApiKey.user_id == user_id)
    if page.after is not None:
        statement = statement.where(tuple_(ApiKey.created_at, ApiKey.id) < (page.after.at, page.after.id))
    return await tx.scalars(statement.order_by(ApiKey.created_at.desc(), ApiKey.id.desc()).limit(page.limit + 1))


async def key(tx: Tx, user_id: UUID, workspace_id: UUID, key_id: UUID) -> ApiKey:
    """A key that a person may see, revoked or not. Raises NotFound."""
    found = await api_keys.find(tx, key_id)
    if found is None or not (found.user_id == user_id or await api_keys.sees_all(tx, user_id, workspace_id)):
        raise NotFound("API key", key_id)
    return found
