"""How do events get into the outbox? As rows of the transaction that made them, in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from libs.kit.ids import uuid7
from libs.schema.event import Cause, DomainEvent

# A topic takes records of up to 1 MiB; what is larger would block its key for ever.
MAX_EVENT_BYTES = 900_000
_ROWS_AT_ONCE = 5_000


class OutboxRow(NamedTuple):
    """An event with everything that the relay needs to send it, in the order of the table's columns."""

    event_id: UUID
    topic: str
    key: str
    type: str
    tenant_id: UUID | None
    subject: UUID
    sequence: int
    occurred_at: datetime
    recorded_at: datetime
    correlation_id: UUID
    causation_id: UUID | None
    traceparent: str | None
    data: str


class Statement(Protocol):
    """Runs one SQL statement with positional arguments inside the transaction."""

    async def __call__(self, sql: str, *arguments: object) -> object:
        """Run it."""


def outbox_row(
    event: DomainEvent, subject: UUID, sequence: int, tenant_id: UUID | None, cause: Cause, now: datetime
) -> OutboxRow:
    """The row for one event. Raises ValueError when the event is larger than a topic takes."""
    data = event.model_dump_json()
    size = len(data.encode())
    if size > MAX_EVENT_BYTES:
        msg = f"{event.type()} of {subject} has {size} bytes, more than {MAX_EVENT_BYTES}"
        raise ValueError(msg)
    return OutboxRow(
        event_id=uuid7(),
        topic=event.topic,
        key=event.partition_key(),
        type=event.type(),
        tenant_id=tenant_id,
        subject=subject,
        sequence=sequence,
        occurred_at=event.occurred_at,
        recorded_at=now,
        correlation_id=cause.correlation_id,
        causation_id=cause.causation_id,
        traceparent=cause.traceparent,
        data=data,
    )


async def insert_outbox(run: Statement, schema: str, rows: Sequence[OutboxRow]) -> None:
    """Write the rows in their order, so many at a time that the server hears of us meanwhile."""
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        await _insert(run, schema, rows[first : first + _ROWS_AT_ONCE])


async def _insert(run: Statement, schema: str, rows: Sequence[OutboxRow]) -> None:
    await run(
        f"""
        INSERT INTO {schema}.outbox (event_id, topic, key, type, tenant_id, subject, sequence, occurred_at, recorded_at,
                                     correlation_id, causation_id, traceparent, data)
        SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::uuid[], $7::bigint[],
                             $8::timestamptz[], $9::timestamptz[], $10::uuid[], $11::uuid[], $12::text[], $13::text[])
        """,
        *map(list, zip(*rows, strict=True)),
    )


async def notify_relay(run: Statement, schema: str) -> None:
    """Wake the relay, in whichever process it is, when the transaction commits."""
    await run("SELECT pg_notify($1, '')", wake_channel(schema))


def wake_channel(schema: str) -> str:
    """The NOTIFY channel that wakes the context's relay."""
    return f"outbox_{schema}"
