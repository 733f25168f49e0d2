"""What is in the topics? Every record from the first to the last, with the attributes that the checks compare."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import md5
from typing import NamedTuple
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from libs.kit.kafka import admin, connection
from libs.kit.settings import Settings

_FETCH_BYTES = 8_388_608


class Record(NamedTuple):
    """A record of a topic."""

    topic: str
    """Without the installation's prefix."""
    partition: int
    offset: int
    key: bytes | None
    id: UUID | None
    """None when the attributes can't be read."""
    type: str
    """Empty when it can't be read."""
    tenant_id: UUID | None
    subject: UUID | None
    sequence: int
    occurred_at: datetime | None
    causation_id: UUID | None
    source: str
    digest: bytes
    value: bytes | None
    """Kept only for a record that is no known event's."""

    def __str__(self) -> str:
        return f"{self.type or 'an unreadable record'} {self.id} at {self.topic}/{self.partition}/{self.offset}"

    @property
    def place(self) -> tuple[str, int, int]:
        """Topic, partition and offset."""
        return self.topic, self.partition, self.offset

    @property
    def family(self) -> str:
        """The type without its version."""
        return self.type.rpartition(".v")[0]


async def read_topics(settings: Settings, topics: Iterable[str], known: Container[UUID]) -> list[Record]:
    """All records of the installation's topics; those of a partition in their order. `known` are the told events."""
    found: list[Record] = []
    partitions = await partitions_of(settings, topics)
    client = AIOKafkaConsumer(
        **connection(settings.kafka),
        client_id="fillstream-proof",
        enable_auto_commit=False,
        max_partition_fetch_bytes=_FETCH_BYTES,
        fetch_max_bytes=8 * _FETCH_BYTES,
        # What was not committed in a transaction is no record.
        isolation_level="read_committed",
    )
    client.assign(partitions)
    await client.start()
    try:
        await client.seek_to_beginning(*partitions)
        ends: Mapping[TopicPartition, int] = await client.end_offsets(partitions)
        while any([await client.position(partition) < end for partition, end in ends.items()]):
            for records in (await client.getmany(timeout_ms=200)).values():
                found.extend(_record(one, settings.kafka_prefix, known) for one in records)
    finally:
        await client.stop()
    return found


async def partitions_of(settings: Settings, topics: Iterable[str]) -> list[TopicPartition]:
    """The partitions of those of the topics that there are."""
    async with admin(settings.kafka) as client:
        there = set(await client.list_topics())
        wanted = sorted(there & {settings.kafka_prefix + topic for topic in topics})
        described: Sequence[Mapping[str, object]] = await client.describe_topics(wanted)
    return [
        TopicPartition(topic["topic"], part["partition"])
        for topic in described
        for part in topic["partitions"]  # type: ignore[attr-defined]
    ]


def _record(record: ConsumerRecord[bytes, bytes], prefix: str, known: Container[UUID]) -> Record:
    place = record.topic.removeprefix(prefix), record.partition, record.offset, record.key
    digest = md5(record.value or b"", usedforsecurity=False).digest()
    try:
        headers = {name: value.decode() for name, value in record.headers}
    except (UnicodeDecodeError, AttributeError):
        return Record(*place, *_NOTHING, digest, record.value)
    try:
        attributes = _attributes(headers)
    except (KeyError, ValueError):
        return Record(*place, None, headers.get("ce_type", ""), *_NOTHING[2:], digest, record.value)
    return Record(*place, *attributes, digest, None if attributes[0] in known else record.value)


_NOTHING = (None, "", None, None, 0, None, None, "")


def _attributes(headers: Mapping[str, str]) -> tuple[UUID, str, UUID | None, UUID, int, datetime, UUID | None, str]:
    """The CloudEvents attributes. Raises KeyError or ValueError."""
    tenant, cause = headers.get("ce_tenantid"), headers.get("ce_causationid")
    return (
        UUID(headers["ce_id"]),
        headers["ce_type"],
        None if tenant is None else UUID(tenant),
        UUID(headers["ce_subject"]),
        int(headers["ce_sequence"]),
        datetime.fromisoformat(headers["ce_time"]),
        None if cause is None else UUID(cause),
        headers["ce_source"],
    )
