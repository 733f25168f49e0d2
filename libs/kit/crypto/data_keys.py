"""Where are data keys? In the context's schema, wrapped; one of each workspace's seals, older ones still open.

A transaction that has a keyring holds its workspace's lock, shared, until it ends; whoever adds or destroys a data key
holds it alone. So no keyring is older than a change of its keys, and what it sealed is there before a key is destroyed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import Column, DateTime, Index, LargeBinary, MetaData, PrimaryKeyConstraint, Table, Text, Uuid, text

from libs.kit.crypto.key_encryption import Binding, WrappedKey
from libs.kit.db import Tx

if TYPE_CHECKING:
    from asyncpg import Record


def add_data_keys(metadata: MetaData) -> None:
    """Describe the table in a context's metadata, as `libs.kit.migrations.data_keys` makes it."""
    Table(
        "data_key",
        metadata,
        Column("tenant_id", Uuid, nullable=False),
        Column("id", Uuid, nullable=False),
        Column("wrapped_key", LargeBinary, nullable=False),
        Column("wrapped_by", Text, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),
        Column("retired_at", DateTime(timezone=True)),
        PrimaryKeyConstraint("tenant_id", "id", name="data_key_pkey"),
        Index("data_key_sealing", "tenant_id", unique=True, postgresql_where=text("retired_at IS NULL")),
    )


@dataclass(frozen=True, slots=True)
class DataKey:
    """A workspace's data key as the database has it. One that is retired opens what it sealed, and seals no more."""

    tenant_id: UUID
    id: UUID
    wrapped: WrappedKey
    created_at: datetime
    is_retired: bool = False

    def binding(self, schema: str) -> Binding:
        """What it is wrapped as."""
        return Binding(schema, self.tenant_id, str(self.id))


_COLUMNS = "tenant_id, id, wrapped_key, wrapped_by, created_at, retired_at IS NOT NULL AS is_retired"
_LOCK_NAME = "current_schema() || '.data_key.' || tenant"


async def share_keys(tx: Tx, tenant_ids: Collection[UUID]) -> Sequence[DataKey]:
    """The data keys of some workspaces, none of which is added or destroyed until the transaction ends."""
    # A statement of its own: the next one has to see what whoever held the lock has done.
    await _lock(tx, "pg_advisory_xact_lock_shared", tenant_ids)
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM data_key WHERE tenant_id = ANY($1::uuid[])", list(tenant_ids))
    return [_data_key(row) for row in rows]


async def lock_keys(tx: Tx, tenant_id: UUID) -> Sequence[DataKey]:
    """The data keys of a workspace, once no transaction has a keyring of it; none gets one until this one ends."""
    await _lock(tx, "pg_advisory_xact_lock", [tenant_id])
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM data_key WHERE tenant_id = $1", tenant_id)
    return [_data_key(row) for row in rows]


async def insert_first(tx: Tx, key: DataKey) -> DataKey:
    """The workspace's first data key: this one, or the one that another transaction made at the same time."""
    await tx.fetch(
        "INSERT INTO data_key (tenant_id, id, wrapped_key, wrapped_by, created_at) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (tenant_id) WHERE retired_at IS NULL DO NOTHING",
        *_values(key),
    )
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM data_key WHERE tenant_id = $1 AND retired_at IS NULL", key.tenant_id)
    return _data_key(rows[0])


async def add(tx: Tx, key: DataKey) -> None:
    """Let a new data key seal, and no other one of the workspace, whose lock this transaction holds alone."""
    await tx.fetch(
        "UPDATE data_key SET retired_at = $2 WHERE tenant_id = $1 AND retired_at IS NULL", key.tenant_id, tx.now
    )
    await tx.fetch(
        "INSERT INTO data_key (tenant_id, id, wrapped_key, wrapped_by, created_at) VALUES ($1, $2, $3, $4, $5)",
        *_values(key),
    )


async def destroy_retired(tx: Tx, tenant_id: UUID, key_ids: Collection[UUID]) -> None:
    """Delete data keys that are retired, of a workspace whose lock this transaction holds alone."""
    await tx.fetch(
        "DELETE FROM data_key WHERE tenant_id = $1 AND id = ANY($2::uuid[]) AND retired_at IS NOT NULL",
        tenant_id,
        list(key_ids),
    )


async def keys_after(tx: Tx, last: tuple[UUID, UUID], limit: int) -> Sequence[DataKey]:
    """Data keys of every workspace, in the order of workspace and id, without locks."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM data_key WHERE (tenant_id, id) > ($1, $2) ORDER BY tenant_id, id LIMIT $3",
        *last,
        limit,
    )
    return [_data_key(row) for row in rows]


async def replace_wrapping(tx: Tx, key: DataKey, wrapped: WrappedKey) -> None:
    """Keep the same data key in another wrapping, unless it was destroyed meanwhile."""
    await tx.fetch(
        "UPDATE data_key SET wrapped_key = $3, wrapped_by = $4 WHERE tenant_id = $1 AND id = $2",
        key.tenant_id,
        key.id,
        wrapped.ciphertext,
        wrapped.by,
    )


async def count(tx: Tx) -> int:
    """How many data keys there are, of every workspace."""
    return int((await tx.fetch("SELECT count(*) FROM data_key"))[0][0])


async def tenants(tx: Tx) -> Sequence[UUID]:
    """The workspaces that have data keys."""
    return [row[0] for row in await tx.fetch("SELECT DISTINCT tenant_id FROM data_key ORDER BY tenant_id")]


async def destroy_all(tx: Tx, tenant_id: UUID) -> None:
    """Delete every data key of a workspace, whose lock this transaction holds alone."""
    await tx.fetch("DELETE FROM data_key WHERE tenant_id = $1", tenant_id)


def _values(key: DataKey) -> tuple[object, ...]:
    return key.tenant_id, key.id, key.wrapped.ciphertext, key.wrapped.by, key.created_at


async def _lock(tx: Tx, function: str, tenant_ids: Collection[UUID]) -> None:
    await tx.fetch(
        f"SELECT {function}(hashtextextended({_LOCK_NAME}, 0)) FROM unnest($1::uuid[]) AS tenant",
        sorted(tenant_ids),
    )


def _data_key(row: Record) -> DataKey:
    wrapped = WrappedKey(row["wrapped_key"], row["wrapped_by"])
    return DataKey(row["tenant_id"], row["id"], wrapped, row["created_at"], is_retired=row["is_retired"])
