"""What happens to an event that can't be handled? It is kept with its error, and its key waits behind it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import quote, unquote
from uuid import UUID

import asyncpg

from libs.kit.db import Database, Tx
from libs.kit.ids import uuid7

Key = tuple[str, bytes]
Place = tuple[str, int, int]
"""Topic, partition and offset."""
_MAX_ERROR = 4_000


class Record(Protocol):
    """A Kafka record, as aiokafka gives it and as the dead letters keep it."""

    @property
    def topic(self) -> str:
        """With the installation's prefix."""

    @property
    def partition(self) -> int:
        """Where in the topic."""

    @property
    def offset(self) -> int:
        """Where in the partition."""

    @property
    def key(self) -> bytes | None:
        """What the record's order depends on."""

    @property
    def value(self) -> bytes | None:
        """The event."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Its attributes."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not be handled, or that waits behind one."""

    id: UUID
    event_id: UUID | None
    topic: str
    partition: int
    offset: int
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    value: bytes | None
    state: str
    error: str
    attempts: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Burial:
    """A record that goes to the dead letters, and why."""

    record: Record
    event_id: UUID | None
    state: str
    """`dead` or `parked`."""
    error: str
    attempts: int


def key_of(record: Record) -> Key | None:
    """What the record's order depends on; None for a record without key."""
    return None if record.key is None else (record.topic, record.key)


def place_of(record: Record) -> Place:
    """Where a record is; no other is there, ever."""
    return record.topic, record.partition, record.offset


async def resolved_places(tx: Tx, records: Sequence[Record]) -> set[Place]:
    """The places of those records that were buried once and are resolved: they are done with."""
    rows = await tx.fetch(
        'SELECT topic, partition, "offset" FROM dead_letter WHERE resolved_at IS NOT NULL AND (topic, partition, "offset") '
        "IN (SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[]))",
        *(list(column) for column in zip(*map(place_of, records), strict=True)),
    )
    return {(row[0], row[1], row[2]) for row in rows}


async def any_dead(tx: Tx) -> bool:
    """Whether there is an unresolved dead letter."""
    [(found,)] = await tx.fetch("SELECT EXISTS (SELECT FROM dead_letter WHERE resolved_at IS NULL)")
    return bool(found)


async def parked_keys(tx: Tx, keys: Iterable[Key]) -> set[Key]:
    """Those of the keys that have an unresolved dead letter; locked against a retry until the transaction ends."""
    topics, names = zip(*keys, strict=True)
    rows = await tx.fetch(
        "SELECT DISTINCT d.topic, d.key FROM dead_letter d JOIN unnest($1::text[], $2::bytea[]) k (topic, key) "
        "ON (d.topic, d.key) = (k.topic, k.key) WHERE d.resolved_at IS NULL",
        topics,
        names,
    )
    if not rows:
        return set()
    for row in sorted(rows, key=lambda r: (r["topic"], r["key"])):
        await _lock_key(tx, (row["topic"], row["key"]))
    # A retry may have resolved a key while we waited for its lock.
    again = await tx.fetch(
        "SELECT DISTINCT topic, key FROM dead_letter WHERE resolved_at IS NULL AND key = ANY($1::bytea[])", names
    )
    return {(row["topic"], row["key"]) for row in again}


async def _lock_key(tx: Tx, key: Key) -> None:
    await tx.fetch("SELECT pg_advisory_xact_lock(hashtextextended($1 || encode($2::bytea, 'hex'), 1))", *key)


async def bury(tx: Tx, burials: Sequence[Burial]) -> None:
    """Keep the records. One that is kept already (a redelivery) stays as it is."""
    for burial in burials:
        record = burial.record
        await tx.fetch(
            'INSERT INTO dead_letter (id, event_id, topic, partition, "offset", key, headers, value, state, error, attempts) '
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
            uuid7(),
            burial.event_id,
            record.topic,
            record.partition,
            record.offset,
            record.key,
            json.dumps(
                [[quote(name, safe=""), base64.b64encode(value or b"").decode()] for name, value in record.headers]
            ),
            record.value,
            burial.state,
            _storable(burial.error),
            burial.attempts,
        )


def _storable(error: str) -> str:
    """The text without what PostgreSQL refuses, and short: it may quote whatever was in the event."""
    return error[:_MAX_ERROR].replace("\0", "\ufffd").encode(errors="replace").decode()


async def open_letters(db: Database, limit: int = 100) -> list[DeadLetter]:
    """Dead and parked records that nobody has resolved, oldest first."""
    async with db.work() as tx:
        rows = await tx.fetch(_SELECT + "WHERE resolved_at IS NULL ORDER BY id LIMIT $1", limit)
        return [_letter(row) for row in rows]


async def find_letter(tx: Tx, letter_id: UUID) -> DeadLetter | None:
    """One record, resolved or not."""
    rows = await tx.fetch(_SELECT + "WHERE id = $1", letter_id)
    return _letter(rows[0]) if rows else None


async def lock_queue(tx: Tx, letter: DeadLetter) -> list[DeadLetter]:
    """The unresolved records of the letter's key in their order, locked; the letter alone when it has no key."""
    if letter.key is None:
        rows = await tx.fetch(_SELECT + "WHERE id = $1 AND resolved_at IS NULL FOR UPDATE", letter.id)
        return [_letter(row) for row in rows]
    await _lock_key(tx, (letter.topic, letter.key))
    rows = await tx.fetch(
        _SELECT + 'WHERE topic = $1 AND key = $2 AND resolved_at IS NULL ORDER BY partition, "offset" FOR UPDATE',
        letter.topic,
        letter.key,
    )
    return [_letter(row) for row in rows]


async def forget_resolved(tx: Tx, workspace_ids: Sequence[UUID]) -> None:
    """Forget what resolved letters of some workspaces say; that there were such letters stays."""
    named = [json.dumps([["ce_tenantid", base64.b64encode(str(one).encode()).decode()]]) for one in workspace_ids]
    await tx.fetch(
        "UPDATE dead_letter SET value = NULL, error = '' "
        "WHERE resolved_at IS NOT NULL AND headers @> ANY($1::text[]::jsonb[])",
        named,
    )


async def resolve(tx: Tx, letter_id: UUID, state: str) -> None:
    """Mark a record as `retried` or `discarded`."""
    await tx.fetch("UPDATE dead_letter SET state = $2, resolved_at = now() WHERE id = $1", letter_id, state)


async def note_failure(tx: Tx, letter_id: UUID, error: str) -> None:
    """Keep why a retry failed."""
    await tx.fetch(
        "UPDATE dead_letter SET state = 'dead', error = $2, attempts = attempts + 1 WHERE id = $1",
        letter_id,
        _storable(error),
    )


_SELECT = (
    # As text: what a connection of SQLAlchemy's makes of jsonb is its own affair.
    'SELECT id, event_id, topic, partition, "offset", key, headers::text, value, state, error, attempts, created_at '
    "FROM dead_letter "
)


def _letter(row: asyncpg.Record) -> DeadLetter:
    id_, event_id, topic, partition, offset, key, headers, *rest = row
    pairs = tuple((unquote(name), base64.b64decode(value)) for name, value in json.loads(headers))
    return DeadLetter(id_, event_id, topic, partition, offset, key, pairs, *rest)
