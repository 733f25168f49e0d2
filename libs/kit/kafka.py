"""How does the house reach the broker? Settings in aiokafka's words, and topics made on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from ssl import SSLContext
from typing import TypedDict

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupCoordinatorNotAvailableError, TopicAlreadyExistsError, for_code
from aiokafka.partitioner import DefaultPartitioner, murmur2
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from libs.kit.broken_connections import break_on_closed_handles
from libs.kit.logging import logger
from libs.kit.settings import KafkaSettings, Settings

log = logger(__name__)

MAX_RECORD_BYTES = 1_048_576
BATCH_BYTES = 131_072
"""How much a producer sends to a partition at once."""
REQUEST_MS = 10_000
"""How long an answer is waited for: longer than a group waits for a member that died, since its sessions last 6 s."""
_STOP_SECONDS = 20.0
_KEYS = 16_384
_OFFSETS_RETRY_MS = 5
"""aiokafka learns of a single topic with each try; a tenth of a second between them, its default, is over a second for all."""
_COORDINATOR_SECONDS = 30.0
_COORDINATOR_POLL_SECONDS = 0.05


break_on_closed_handles()


class Connection(TypedDict):
    """What every aiokafka client needs to connect."""

    bootstrap_servers: str
    security_protocol: str
    ssl_context: SSLContext | None
    sasl_mechanism: str
    sasl_plain_username: str | None
    sasl_plain_password: str | None


def connection(settings: KafkaSettings) -> Connection:
    """The arguments with which any aiokafka client connects."""
    return Connection(
        bootstrap_servers=settings.bootstrap,
        security_protocol=settings.security_protocol,
        ssl_context=settings.ssl_context(),
        sasl_mechanism=settings.sasl_mechanism,
        sasl_plain_username=settings.sasl_username,
        sasl_plain_password=None if settings.sasl_password is None else settings.sasl_password.get_secret_value(),
    )


def security(settings: KafkaSettings) -> BaseSecurity:
    """The same in FastStream's words."""
    context = settings.ssl_context()
    if settings.sasl_username is None or settings.sasl_password is None:
        return BaseSecurity(ssl_context=context, use_ssl=context is not None)
    kinds = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
    return kinds[settings.sasl_mechanism](
        username=settings.sasl_username,
        password=settings.sasl_password.get_secret_value(),
        ssl_context=context,
        use_ssl=context is not None,
    )


@asynccontextmanager
async def producer(settings: KafkaSettings, client_id: str) -> AsyncIterator[AIOKafkaProducer]:
    """An idempotent producer that waits for all in-sync replicas."""
    client = AIOKafkaProducer(
        **connection(settings),
        client_id=client_id,
        acks="all",
        enable_idempotence=True,
        max_batch_size=BATCH_BYTES,
        max_request_size=MAX_RECORD_BYTES,
        request_timeout_ms=REQUEST_MS,
        partitioner=partition_of,
    )
    try:
        await client.start()
        yield client
    finally:
        await stopped(client.stop())


async def stopped(stopping: Awaitable[object], *, seconds: float = _STOP_SECONDS) -> None:
    """Wait for a client to stop, and leave it behind when it does not: it may wait for a broker that never answers.

    Whoever stops is restarted by a supervisor, and must not keep it waiting.
    """
    try:
        async with asyncio.timeout(seconds):
            await stopping
    except TimeoutError:
        log.exception("kafka_client_left_behind", after_seconds=seconds)


def partition_of(key: bytes | None, partitions: Sequence[int], available: Sequence[int]) -> int:
    """The partition that every Kafka client gives to a key by default: murmur2 of it, modulo their number."""
    if key is None:
        return int(DefaultPartitioner()(key, partitions, available))
    return partitions[_murmur2(key) % len(partitions)]


@lru_cache(_KEYS)
def _murmur2(key: bytes) -> int:
    """aiokafka's, remembered: it is in Python, and takes four tenths of all the time that sending a record does."""
    return int(murmur2(key)) & 0x7FFFFFFF


@asynccontextmanager
async def admin(settings: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A connected admin client."""
    client = AIOKafkaAdminClient(**connection(settings), client_id="fillstream-admin")
    try:
        await client.start()
        yield client
    finally:
        await stopped(client.close())


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as `migrate` makes it."""

    name: str
    partitions: int
    replication_factor: int
    retention: timedelta


def topic_specs(settings: Settings, topics: Iterable[str]) -> list[TopicSpec]:
    """What the settings say of the topics."""
    return [
        TopicSpec(
            settings.kafka_prefix + topic,
            settings.kafka_partitions,
            settings.kafka_replication_factor,
            timedelta(days=settings.event_retention_days),
        )
        for topic in topics
    ]


async def create_topics(settings: KafkaSettings, specs: Iterable[TopicSpec]) -> list[str]:
    """Create the topics that are missing and give their names. Raises KafkaError when the broker refuses one."""
    created = []
    async with admin(settings) as client:
        await _until_groups_can_join(client)
        existing = set(await client.list_topics())
        missing = [spec for spec in specs if spec.name not in existing]
        if not missing:
            return []
        response = await client.create_topics([_new_topic(spec) for spec in missing])
        for name, code, *_ in response.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise error(name)
            created.append(name)
    await _until_read(settings, missing)
    return created


async def _until_read(settings: KafkaSettings, specs: Iterable[TopicSpec]) -> None:
    """Wait until each partition's leader answers for it, so that the first readers need not try again and again."""
    partitions = [TopicPartition(spec.name, number) for spec in specs for number in range(spec.partitions)]
    async with offsets_reader(settings) as client:
        await client.end_offsets(partitions)


@asynccontextmanager
async def offsets_reader(settings: KafkaSettings) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that is only asked for offsets, of topics that it need not have heard of."""
    client = AIOKafkaConsumer(
        **connection(settings),
        client_id="fillstream-offsets",
        request_timeout_ms=REQUEST_MS,
        enable_auto_commit=False,
        retry_backoff_ms=_OFFSETS_RETRY_MS,
    )
    try:
        await client.start()
        yield client
    finally:
        await stopped(client.stop())


async def _until_groups_can_join(client: AIOKafkaAdminClient) -> None:
    """Make a new broker create its topic of offsets now, so that the first consumers need not try again and again."""
    async with asyncio.timeout(_COORDINATOR_SECONDS):
        while True:
            try:
                await client.find_coordinator("fillstream")
            except GroupCoordinatorNotAvailableError:
                await asyncio.sleep(_COORDINATOR_POLL_SECONDS)
            else:
                return


def _new_topic(spec: TopicSpec) -> NewTopic:
    return NewTopic(
        spec.name,
        spec.partitions,
        spec.replication_factor,
        topic_configs={
            "retention.ms": str(int(spec.retention.total_seconds() * 1000)),
            "max.message.bytes": str(MAX_RECORD_BYTES),
            "min.insync.replicas": str(max(1, spec.replication_factor - 1)),
        },
    )
