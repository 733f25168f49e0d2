"""What is being said? The events of the topics as they come, and one event with all that followed from it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaConsumer

from fillstream.contexts import Context
from libs.kit.codec import Undecodable, UnknownType, decode
from libs.kit.errors import FillstreamError
from libs.kit.kafka import connection
from libs.kit.settings import Settings
from libs.schema.catalogue import TOPICS
from libs.schema.event import DomainEvent, Envelope


class NoSuchEvent(FillstreamError):
    """No context has published an event of that id."""


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event as its context's log keeps it."""

    context: str
    event_id: UUID
    type: str
    subject: UUID
    sequence: int
    occurred_at: datetime
    tenant_id: UUID | None
    causation_id: UUID | None
    data: str

    def line(self) -> str:
        """One line for a person to read."""
        return f"{self.occurred_at:%Y-%m-%d %H:%M:%S}  {self.type:32} {self.event_id}  {self.data}"


async def tail(settings: Settings) -> AsyncIterator[str]:
    """A line for each record that arrives in any topic from now on."""
    client = AIOKafkaConsumer(
        *(settings.kafka_prefix + topic for topic in TOPICS),
        **connection(settings.kafka),
        auto_offset_reset="latest",
        enable_auto_commit=False,
    )
    await client.start()
    try:
        async for record in client:
            try:
                yield _line(decode(record.headers, record.value))
            except (Undecodable, UnknownType) as problem:
                yield f"{record.topic}[{record.partition}]@{record.offset}: {problem}"
    finally:
        await client.stop()


def _line(envelope: Envelope[DomainEvent]) -> str:
    event = envelope.event
    return f"{event.occurred_at:%Y-%m-%d %H:%M:%S}  {event.type():32} {envelope.id}  {event.model_dump_json()}"


async def chain(url: str, contexts: Sequence[Context], event_id: UUID) -> list[LoggedEvent]:
    """An event and all that followed from it, in the order of recording. Raises NoSuchEvent."""
    database = await asyncpg.connect(url)
    try:
        logs = " UNION ALL ".join(
            f"SELECT '{c.name}' AS context, event_id, type, subject, sequence, occurred_at, tenant_id, causation_id, "
            f"data, recorded_at, correlation_id FROM {c.name}.event_log"
            for c in contexts
        )
        rows = await database.fetch(
            f"""
            WITH RECURSIVE log AS ({logs}), chain AS (
                SELECT * FROM log WHERE event_id = $1
                UNION SELECT l.* FROM log l JOIN chain c ON l.causation_id = c.event_id)
            SELECT context, event_id, type, subject, sequence, occurred_at, tenant_id, causation_id, data
            FROM chain ORDER BY recorded_at, event_id
            """,
            event_id,
        )
    finally:
        await database.close()
    if not rows:
        raise NoSuchEvent(f"no context has published an event {event_id}")
    return [LoggedEvent(*row) for row in rows]


def pretty(event: LoggedEvent) -> str:
    """All of an event, for a person to read."""
    head = f"{event.type}  {event.event_id}\n  {event.context}, {event.subject} #{event.sequence}, {event.occurred_at}"
    return f"{head}\n{json.dumps(json.loads(event.data), indent=2)}"
