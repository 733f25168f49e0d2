"""What can be read of the audit trail? Pages for people, and whole chains for whoever verifies them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from libs.kit.db import Tx
from libs.kit.errors import Invalid
from libs.kit.http.pagination import PageRequest, Position
from libs.schema.audit import ActResult, AuditHeadPublished
from services.auth.audit.chain import Entry, Link
from services.auth.model import AuditEntry

MAX_SEQUENCE = 2**63 - 1
LINKS_AT_ONCE = 5_000
# Signatures of so many are checked in much less time than a transaction may be idle.
HEADS_AT_ONCE = 500
_FIELDS = len(Entry._fields)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries: all that agree with each thing that is named, over [start, end)."""

    actor_id: UUID | None = None
    act: str | None = None
    target_kind: str | None = None
    target_id: str | None = None
    result: ActResult | None = None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Trail:
    """A workspace's chain as it says itself, and who told its heads."""

    workspace_id: UUID
    entries: int
    last_hash: bytes
    signed_sequence: int
    """The number of the last head that was told; 0 before the first."""
    chain_ids: tuple[UUID, ...]
    """The chain's, or those that it had when heads were told; one, unless somebody had a hand in it."""


def place(entry: AuditEntry) -> Position:
    """Where an entry stands in the list. Its number alone decides; it travels in the place of an id."""
    return Position(entry.occurred_at, UUID(int=entry.sequence))


def _sequence(after: Position) -> int:
    if after.id.int > MAX_SEQUENCE:
        raise Invalid("cursor", "is not a cursor that this list gave")
    return after.id.int


async def entries(tx: Tx, wanted: AuditFilter, page: PageRequest) -> Sequence[AuditEntry]:
    """The workspace's entries, the newest first."""
    same = ("actor_id", "act", "target_kind", "target_id", "result")
    named = {name: value for name in same if (value := getattr(wanted, name)) is not None}
    statement = select(AuditEntry).filter_by(**named).order_by(AuditEntry.sequence.desc()).limit(page.limit + 1)
    if wanted.start is not None:
        statement = statement.where(AuditEntry.occurred_at >= wanted.start)
    if wanted.end is not None:
        statement = statement.where(AuditEntry.occurred_at < wanted.end)
    if page.after is not None:
        statement = statement.where(AuditEntry.sequence < _sequence(page.after))
    return await tx.scalars(statement)


async def trails(tx: Tx) -> list[Trail]:
    """What is known of the chain of every workspace that has one, or once had. Needs a worker's transaction."""
    rows = await tx.fetch(
        """
        SELECT tenant_id, coalesce(c.last_sequence, 0), coalesce(c.last_hash, ''), coalesce(c.signed_sequence, 0),
               array_remove(array_agg(known.chain_id), NULL)
        FROM (SELECT tenant_id, id AS chain_id FROM auth.audit_chain UNION SELECT tenant_id, NULL FROM auth.audit_entry
              UNION SELECT tenant_id, subject FROM auth.event_log WHERE type = $1) known
        LEFT JOIN auth.audit_chain c USING (tenant_id)
        GROUP BY tenant_id, c.last_sequence, c.last_hash, c.signed_sequence ORDER BY tenant_id
        """,
        AuditHeadPublished.type(),
    )
    return [Trail(row[0], row[1], row[2], row[3], tuple(row[4])) for row in rows]


async def signed_heads(tx: Tx, trail: Trail) -> AsyncIterator[Sequence[str]]:
    """The heads that were told of a chain as they were signed, in their order, some hundreds at a time.

    Also those that are on their way out. Needs a worker's transaction.
    """
    cursor = await tx.driver.cursor(
        """
        SELECT data::jsonb->>'signature' FROM (
            SELECT sequence, event_id, data FROM auth.event_log WHERE subject = ANY($1::uuid[]) AND type = $2
            UNION ALL SELECT sequence, event_id, data FROM auth.outbox WHERE subject = ANY($1::uuid[]) AND type = $2) told
        ORDER BY sequence, event_id
        """,
        list(trail.chain_ids),
        AuditHeadPublished.type(),
    )
    while rows := await cursor.fetch(HEADS_AT_ONCE):
        yield [row[0] for row in rows]


async def links(tx: Tx, workspace_id: UUID, last: int = MAX_SEQUENCE) -> AsyncIterator[Sequence[Link]]:
    """A workspace's chain up to its `last` entry, some thousands at a time. Needs a worker's transaction."""
    cursor = await tx.driver.cursor(
        """
        SELECT act, actor_id, actor_kind, address, correlation_id, device, event_id, occurred_at, on_behalf_of, reason,
               recorded_at, result, sequence, source, target_id, target_kind, tenant_id, previous_hash, hash
        FROM auth.audit_entry WHERE tenant_id = $1 AND sequence <= $2 ORDER BY sequence
        """,
        workspace_id,
        last,
    )
    while rows := await cursor.fetch(LINKS_AT_ONCE):
        yield [Link(Entry(*row[:_FIELDS]), *row[_FIELDS:]) for row in rows]
