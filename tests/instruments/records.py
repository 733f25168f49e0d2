"""What can lie in a topic that no honest producer put there? Poison, records that hardly fit, and the same ones again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.structs import ConsumerRecord

from fillstream.contexts import Context
from libs.kit.codec import headers_of
from libs.kit.db import utc_now
from libs.kit.ids import uuid7
from libs.kit.kafka import MAX_RECORD_BYTES, connection
from libs.kit.outbox import OutboxRow
from libs.kit.settings import Settings
from libs.schema.event import DomainEvent

Header = tuple[str, bytes]
_NOT_OURS_TO_REFUSE = 8 * MAX_RECORD_BYTES
"""Of the client, so that it is the broker who decides what is too large."""
_BATCH_OVERHEAD = 512
_HUGE = 300_000


@dataclass(frozen=True, slots=True)
class Poison:
    """A record that cannot be read, or that nobody should care for."""

    what: str
    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]
    family: str | None
    """The event that it claims to be; None when nobody can tell."""
    of_nobody: bool = False
    """A well-formed record of a family that does not exist."""

    def buried_by(self, contexts: Iterable[Context]) -> list[str]:
        """The contexts that have to keep it as a dead letter: those that would have listened to it."""
        if self.of_nobody:
            return []
        return [
            context.name
            for context in contexts
            if self.topic in context.topics()
            and (self.family is None or self.family in {event.family() for event in context.listens_to()})
        ]


@dataclass(frozen=True, slots=True)
class Sent:
    """Where a record of ours is."""

    poison: Poison
    partition: int
    offset: int


def poisons(event: type[DomainEvent], rng: Random) -> list[Poison]:
    """All that can be wrong with a record of an event; each with a key of its own, so that it holds up nobody else."""
    good = tuple(headers_of(_row(event), event.topic.partition(".")[0]))
    nested = b"[" * _HUGE

    def one(what: str, value: bytes | None, *headers: Header, without: str = "", **changes: Any) -> Poison:
        names = {name for name, _ in headers} | {without}
        kept = tuple(pair for pair in good if pair[0] not in names) + headers
        plain = Poison(what, event.topic, str(UUID(int=rng.getrandbits(128))).encode(), value, kept, event.family())
        return replace(plain, **changes)

    return [
        one("not JSON", b"\xff\xfe{"),
        one("nested without end", nested),
        one("not its schema", b"{}"),
        one("no value", None),
        one("no key", b"{}", key=None),
        one("no headers", b"{}", headers=(), family=None),
        one("no type", b"{}", without="ce_type", family=None),
        one("header not UTF-8", b"{}", ("ce_id", b"\xff"), family=None),
        one("header with NUL", b"{}", ("ce_traceparent", b"\0")),
        one("huge header", b"{}", ("ce_traceparent", b"x" * _HUGE)),
        one("unknown version", b"{}", ("ce_type", f"{event.family()}.v999".encode())),
        one("huge version", b"{}", ("ce_type", f"{event.family()}.v{'9' * _HUGE}".encode())),
        one("unknown type", b"{}", ("ce_type", b"nobody.NothingHappened.v1"), of_nobody=True),
        one("hardly fits", b'{"x": "' + b"x" * (MAX_RECORD_BYTES - _size(good) - _BATCH_OVERHEAD) + b'"}'),
    ]


async def send(settings: Settings, records: Sequence[Poison]) -> list[Sent]:
    """Put records into their topics, and tell where they are."""
    client = AIOKafkaProducer(**connection(settings.kafka), acks="all", max_request_size=_NOT_OURS_TO_REFUSE)
    sent = []
    async with client:
        for record in records:
            told = await client.send_and_wait(
                settings.kafka_prefix + record.topic, record.value, record.key, headers=list(record.headers)
            )
            sent.append(Sent(record, told.partition, told.offset))
    return sent


async def is_refused(settings: Settings, event: type[DomainEvent]) -> bool:
    """Whether the broker refuses a record that is larger than a topic takes."""
    plain = poisons(event, Random(0))[0]
    try:
        await send(settings, [replace(plain, what="too large", value=b"x" * (MAX_RECORD_BYTES + 1))])
    except MessageSizeTooLargeError:
        return True
    return False


async def unburied(
    database: asyncpg.Connection[asyncpg.Record], settings: Settings, contexts: Sequence[Context], sent: Sequence[Sent]
) -> list[str]:
    """What is missing among the dead letters, and what is there and should not be; a sentence each."""
    wrong = []
    for context in contexts:
        rows = await database.fetch(f'SELECT topic, partition, "offset" FROM {context.name}.dead_letter')
        places = {tuple(row) for row in rows}
        for one in sent:
            expected = context.name in one.poison.buried_by([context])
            found = (settings.kafka_prefix + one.poison.topic, one.partition, one.offset) in places
            if found != expected:
                does = "has buried" if found else "has not buried"
                wrong.append(f"{context.name} {does}: {one.poison.what} in {one.poison.topic}")
    return wrong


async def send_again(settings: Settings, topic: str, at_most: int) -> int:
    """Send the newest records of each partition once more, as they are; tells how many."""
    prefixed = settings.kafka_prefix + topic
    consumer = AIOKafkaConsumer(**connection(settings.kafka), enable_auto_commit=False, auto_offset_reset="earliest")
    async with consumer, AIOKafkaProducer(**connection(settings.kafka), acks="all") as producer:
        numbers = await producer.partitions_for(prefixed)
        count = 0
        for partition in [TopicPartition(prefixed, number) for number in sorted(numbers)]:
            for record in await _newest(consumer, partition, at_most):
                await producer.send(
                    prefixed, record.value, record.key, partition.partition, headers=list(record.headers)
                )
                count += 1
        await producer.flush()
    return count


async def _newest(
    consumer: AIOKafkaConsumer, partition: TopicPartition, at_most: int
) -> list[ConsumerRecord[bytes, bytes]]:
    consumer.assign([partition])
    [first] = (await consumer.beginning_offsets([partition])).values()
    [after] = (await consumer.end_offsets([partition])).values()
    consumer.seek(partition, max(first, after - at_most))
    found: list[ConsumerRecord[bytes, bytes]] = []
    while await consumer.position(partition) < after:
        found += (await consumer.getmany(partition, timeout_ms=1_000)).get(partition, [])
    return [record for record in found if record.offset < after]


def _row(event: type[DomainEvent]) -> OutboxRow:
    """An event's attributes without the event."""
    now = utc_now()
    return OutboxRow(
        uuid7(), event.topic, "", event.type(), uuid7(), uuid7(), 1, now, now, uuid7(), None, None, "{}"
    )  # fmt: skip


def _size(headers: Iterable[Header]) -> int:
    return sum(len(name) + len(value) + 8 for name, value in headers)
