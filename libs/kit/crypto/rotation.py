"""How do keys become new while everything goes on? Data keys are wrapped anew; secrets are sealed anew, row by row.

A data key's rotation may be killed at any moment and run again: the new key seals from its first commit on, each batch
is a short transaction that skips rows which others have locked, and the old key goes when nothing is sealed with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import MetaData

from libs.kit.crypto import data_keys
from libs.kit.crypto.data_keys import DataKey
from libs.kit.crypto.encryption import Encryption
from libs.kit.crypto.key_encryption import KeyRefused, Unwrappable
from libs.kit.crypto.keyring import Keyring, Unsealable
from libs.kit.crypto.places import Place, SealedTable, sealed_tables
from libs.kit.crypto.sealed_rows import SealedRow, any_stale, count_lost, lock_stale, reseal
from libs.kit.db import Database

BATCH_ROWS = 500
_PAUSE_SECONDS = 0.05
"""Before rows are looked for again that somebody else had locked."""

_FIRST = (UUID(int=0), UUID(int=0))

Step = Callable[[int], None]
"""Told how many more are done."""


OWN_TROUBLE = (KeyRefused, Unwrappable, Unsealable)
"""What may be wrong with one workspace's keys or values, while all others are well."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A workspace that keeps a key as it was, and why."""

    tenant_id: UUID
    why: str


def keeps_secrets(metadata: MetaData) -> bool:
    """Whether a context has data keys."""
    return f"{metadata.schema}.data_key" in metadata.tables


@dataclass(frozen=True, slots=True)
class Rotation:
    """Makes the keys of one context new."""

    db: Database
    encryption: Encryption
    metadata: MetaData

    async def count_keys(self) -> int:
        """How many data keys there are."""
        async with self.db.work() as tx:
            return await data_keys.count(tx)

    async def tenants(self) -> Sequence[UUID]:
        """The workspaces that have data keys."""
        async with self.db.work() as tx:
            return await data_keys.tenants(tx)

    async def rewrap(self, step: Step) -> list[Failure]:
        """Wrap every data key anew, by the newest key-encryption key. Secrets stay as they are.

        A key that does not open stays as it is, for all the others there are to go on with.
        """
        last, failures = _FIRST, list[Failure]()
        while keys := await self._keys_after(last):
            for key in keys:
                try:
                    await self._rewrap(key)
                except OWN_TROUBLE as error:
                    failures.append(Failure(key.tenant_id, str(error)))
                step(1)
            last = keys[-1].tenant_id, keys[-1].id
        return failures

    async def _keys_after(self, last: tuple[UUID, UUID]) -> Sequence[DataKey]:
        async with self.db.work() as tx:
            return await data_keys.keys_after(tx, last, BATCH_ROWS)

    async def _rewrap(self, key: DataKey) -> None:
        # Outside of any transaction: the service may take its time.
        wrapped = await self.encryption.guard.rewrap(key.wrapped, key.binding(self.db.schema))
        async with self.db.work() as tx:
            await data_keys.replace_wrapping(tx, key, wrapped)

    async def renew(self, tenant_id: UUID, before: datetime, step: Step) -> int:
        """Seal a workspace's secrets with a new data key and destroy the older ones.

        A key that was made at `before` or later counts as new: so a run that was killed goes on where it was. Rows that
        were sealed before the workspace was shredded stay as they are; gives how many. Raises Unsealable for a value that
        does not open though its key is there, and Unwrappable or KeyRefused for a key; then both stay.
        """
        tables = sealed_tables(self.metadata)
        if await self._opens(tenant_id):
            await self._add_key(tenant_id, before)
            await self._seal_anew(tenant_id, tables, step)
        async with self.db.work() as tx:
            known = [key.id for key in await data_keys.share_keys(tx, [tenant_id])]
            return sum([await count_lost(tx, table, tenant_id, known) for table in tables])

    async def _opens(self, tenant_id: UUID) -> bool:
        """Whether the workspace has keys, all of which open; False when it has none. Raises Unwrappable and KeyRefused."""
        async with self.db.work() as tx:
            if not await data_keys.share_keys(tx, [tenant_id]):
                return False
            await self.encryption.keyring(tx, tenant_id)
        return True

    async def _seal_anew(self, tenant_id: UUID, tables: Sequence[SealedTable], step: Step) -> None:
        while not await self._destroy_retired(tenant_id, tables):
            found = 0
            for table in tables:
                async for count in self._reseal_all(table, tenant_id):
                    step(count)
                    found += count
            if not found:
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _add_key(self, tenant_id: UUID, before: datetime) -> None:
        new = await self.encryption.new_key(self.db.schema, tenant_id, self.db.clock())
        async with self.db.work() as tx:
            # Whoever has a keyring without the new key is waited for: from here on, everybody's opens what it seals.
            newest = _newest(await data_keys.lock_keys(tx, tenant_id))
            if newest is not None and newest.created_at < before:
                await data_keys.add(tx, new)

    async def _reseal_all(self, table: SealedTable, tenant_id: UUID) -> AsyncIterator[int]:
        """Go once through the rows that an older key sealed; how many were sealed anew, batch by batch."""
        last = UUID(int=0)
        while True:
            async with self.db.work() as tx:
                ring = await self.encryption.keyring(tx, tenant_id)
                rows = await lock_stale(tx, table, tenant_id, ring.retired, last, BATCH_ROWS)
                if rows:
                    await reseal(tx, table, tenant_id, [_resealed(row, table, ring) for row in rows])
            yield len(rows)
            if len(rows) < BATCH_ROWS:
                return
            last = rows[-1].row

    async def _destroy_retired(self, tenant_id: UUID, tables: Sequence[SealedTable]) -> bool:
        """Destroy the older keys, unless there is a value that one of them sealed."""
        async with self.db.work() as tx:
            # Nobody holds a keyring now, so that whatever was sealed is there to be found.
            known = await data_keys.lock_keys(tx, tenant_id)
            newest = _newest(known)
            retired = [key.id for key in known if key.is_retired]
            if newest is None or not retired:
                return True
            for table in tables:
                if await any_stale(tx, table, tenant_id, retired):
                    return False
            await data_keys.destroy_retired(tx, tenant_id, retired)
            return True


def _newest(keys: Sequence[DataKey]) -> DataKey | None:
    return next((key for key in keys if not key.is_retired), None)


def _resealed(row: SealedRow, table: SealedTable, ring: Keyring) -> SealedRow:
    places = [table.place(column, row.row) for column in table.columns]
    return SealedRow(row.row, tuple(_anew(v, place, ring) for v, place in zip(row.values, places, strict=True)))


def _anew(value: bytes | None, place: Place, ring: Keyring) -> bytes | None:
    if value is None or ring.lacks_key_of(value):
        return value
    return ring.seal(ring.open(value, place), place)
