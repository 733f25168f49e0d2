"""What is the SQL of API keys? Found by their prefix, locked by id, and noted to be used, at most once a minute."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Select, func, or_, select, update

from libs.kit.db import Tx
from libs.kit.errors import NotFound
from services.auth.model import ApiKey, Role
from services.auth.repository import users

_BETWEEN_NOTES = timedelta(minutes=1)


async def by_prefix(tx: Tx, prefix: str) -> ApiKey | None:
    """The key of this prefix, in whatever workspace, as it is now; for a transaction that belongs to none."""
    await tx.fetch("SELECT set_config('app.api_key_prefix', $1, true)", prefix)
    return await tx.scalar(select(ApiKey).where(ApiKey.prefix == prefix))


async def find(tx: Tx, key_id: UUID) -> ApiKey | None:
    """A key of the transaction's workspace, not locked."""
    return await tx.scalar(select(ApiKey).where(ApiKey.id == key_id))


async def lock_own(tx: Tx, user_id: UUID, key_id: UUID) -> ApiKey:
    """A person's key in the transaction's workspace, locked until it ends. Raises NotFound for everybody else's."""
    key = await tx.scalar(select(ApiKey).where(ApiKey.id == key_id, ApiKey.user_id == user_id).with_for_update())
    if key is None:
        raise NotFound("API key", key_id)
    return key


async def lock_seen(tx: Tx, user_id: UUID, workspace_id: UUID, key_id: UUID) -> ApiKey:
    """A key that a person may see, locked until the transaction ends: their own, or any for the workspace's owner.

    Raises NotFound.
    """
    wanted = select(ApiKey).where(ApiKey.id == key_id).with_for_update()
    key = await tx.scalar(wanted if await sees_all(tx, user_id, workspace_id) else wanted.filter_by(user_id=user_id))
    if key is None:
        raise NotFound("API key", key_id)
    return key


async def lock_kept_in(tx: Tx, workspace_id: UUID, user_id: UUID) -> Sequence[ApiKey]:
    """A person's keys for the transaction's workspace that were not revoked, locked until it ends."""
    return await tx.scalars(_kept([user_id]).where(ApiKey.tenant_id == workspace_id))


async def lock_kept(tx: Tx, user_ids: Collection[UUID]) -> Sequence[ApiKey]:
    """People's keys for whatever workspaces that were not revoked, locked in one order. Needs a worker's transaction."""
    return await tx.scalars(_kept(user_ids))


def _kept(user_ids: Collection[UUID]) -> Select[ApiKey]:
    wanted = select(ApiKey).where(ApiKey.user_id.in_(user_ids), ApiKey.revoked_at.is_(None))
    return wanted.order_by(ApiKey.id).with_for_update()


async def sees_all(tx: Tx, user_id: UUID, workspace_id: UUID) -> bool:
    """Whether a person is shown everybody's keys: the workspace's owner is, whatever an older token says."""
    return await users.role_in(tx, user_id, workspace_id) is Role.OWNER


async def count_kept(tx: Tx, user_id: UUID) -> int:
    """How many keys a person has in the transaction's workspace that were not revoked."""
    kept = select(func.count()).select_from(ApiKey).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
    return await tx.scalar(kept) or 0


async def note_use(tx: Tx, key: ApiKey, address: str | None) -> None:
    """Note that a key was used, unless that was noted a moment ago: programs of one key do not wait for each other."""
    latest = tx.now - _BETWEEN_NOTES
    if key.last_used_at is not None and key.last_used_at > latest:
        return
    await tx.execute(
        update(ApiKey)
        .where(ApiKey.id == key.id, or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= latest))
        .values(last_used_at=tx.now, last_used_from=address)
        .execution_options(synchronize_session=False)
    )
