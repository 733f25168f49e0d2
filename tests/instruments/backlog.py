"""What if a consumer falls far behind? Very many bars are told in no time, as market data and its relay would have.

They are honest: each is in market data's event log and in its topic, numbered within a series that there is. Only the way
there is short, since a million through the API would take most of an hour.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder

from libs.kit.codec import headers_of
from libs.kit.kafka import admin, connection
from libs.kit.outbox import OutboxRow
from libs.kit.settings import Settings
from libs.schema.marketdata import BarClosed

_SYMBOLS = 40
_BATCH_BYTES = 900_000
_ROWS = 5_000
_POLL_SECONDS = 0.2
_LIST = """
    INSERT INTO marketdata.instrument (id, symbol, name, asset_class, currency, version)
    SELECT uuidv7(), $1 || n, 'Backlog', 'equity', 'USD', 0 FROM generate_series(1, $2::int) n
"""
_NUMBER = """
    INSERT INTO marketdata.series (id, symbol, timeframe, version)
    SELECT uuidv7(), $1 || n, '1m', $3::bigint FROM generate_series(1, $2::int) n
"""
_LOG = """
    INSERT INTO marketdata.event_log (event_id, topic, key, type, subject, sequence, occurred_at, recorded_at,
                                      correlation_id, data)
    SELECT uuidv7(), $2, s.symbol, $3, s.id, n, closes, now(), uuidv7(), json_build_object(
        'occurred_at', to_char(closes, iso), 'symbol', s.symbol, 'timeframe', '1m',
        'open_time', to_char(closes - interval '1 minute', iso),
        'open', '100.00', 'high', '101.00', 'low', '99.00', 'close', '100.50', 'volume', '1000')::text
    FROM generate_series(1, $4::int) n, marketdata.series s,
         LATERAL (SELECT timestamptz '1990-01-01 00:00Z' + n * interval '1 minute' AS closes,
                         'YYYY-MM-DD"T"HH24:MI:SS"Z"' AS iso) moment
    WHERE starts_with(s.symbol, $1)
"""
_READ = """
    SELECT event_id, topic, key, type, tenant_id, subject, sequence, occurred_at, recorded_at, correlation_id,
           causation_id, traceparent, data
    FROM marketdata.event_log WHERE starts_with(key, $1) ORDER BY sequence, key
"""


@dataclass(frozen=True)
class Backlog:
    """What was told."""

    topic: str
    events: int
    seconds: float


async def pile_up(settings: Settings, count: int, name: str = "PILE") -> Backlog:
    """Let so many bars be told; their instruments begin with a name that no other has, and nobody trades them."""
    started = time.monotonic()
    each = -(-count // _SYMBOLS)
    database = await asyncpg.connect(settings.database_url.get_secret_value(), server_settings={"timezone": "UTC"})
    try:
        async with database.transaction():
            await database.execute(_LIST, name, _SYMBOLS)
            await database.execute(_NUMBER, name, _SYMBOLS, each)
            await database.execute(_LOG, name, BarClosed.topic, BarClosed.type(), each, timeout=600)
        await _send(database, settings, name)
    finally:
        await database.close()
    return Backlog(BarClosed.topic, each * _SYMBOLS, time.monotonic() - started)


async def _send(database: asyncpg.Connection[asyncpg.Record], settings: Settings, name: str) -> None:
    """Send in batches that are built here: record by record the client would take ten times as long."""
    topic = settings.kafka_prefix + BarClosed.topic
    client = AIOKafkaProducer(**connection(settings.kafka), acks="all", max_batch_size=_BATCH_BYTES)
    async with client, database.transaction(readonly=True):
        partitions = sorted(await client.partitions_for(topic))
        batches: defaultdict[int, BatchBuilder] = defaultdict(client.create_batch)
        pending = []
        async for columns in database.cursor(_READ, name, prefetch=_ROWS):
            row = OutboxRow(*columns)
            key, headers = row.key.encode(), headers_of(row, "marketdata")
            partition = DefaultPartitioner()(key, partitions, partitions)
            record = {"timestamp": None, "key": key, "value": row.data.encode(), "headers": headers}
            if batches[partition].append(**record) is None:
                pending.append(await client.send_batch(batches.pop(partition), topic, partition=partition))
                batches[partition].append(**record)
        pending += [await client.send_batch(batch, topic, partition=number) for number, batch in batches.items()]
        await asyncio.gather(*pending)


async def until_caught_up(settings: Settings, groups: Collection[str], topic: str, within: float) -> float:
    """Wait until the groups have consumed all that is in a topic now; gives the seconds. Raises TimeoutError."""
    started = time.monotonic()
    async with admin(settings.kafka) as client, asyncio.timeout(within):
        ends = await _ends(client, settings, settings.kafka_prefix + topic)
        # Nothing tells when another process commits its offsets.
        while await _any_behind(client, _ours(settings, groups), ends):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)
    return time.monotonic() - started


async def is_any_behind(settings: Settings, groups: Collection[str], topic: str) -> bool:
    """Whether one of the groups has not consumed all that is in a topic now."""
    async with admin(settings.kafka) as client:
        ends = await _ends(client, settings, settings.kafka_prefix + topic)
        return await _any_behind(client, _ours(settings, groups), ends)


def _ours(settings: Settings, groups: Collection[str]) -> set[str]:
    return {settings.kafka_prefix + group for group in groups}


async def _ends(client: AIOKafkaAdminClient, settings: Settings, topic: str) -> Mapping[TopicPartition, int]:
    [described] = await client.describe_topics([topic])
    async with AIOKafkaConsumer(**connection(settings.kafka)) as consumer:
        ends: Mapping[TopicPartition, int] = await consumer.end_offsets(
            [TopicPartition(topic, part["partition"]) for part in described["partitions"]]
        )
    return ends


async def _any_behind(client: AIOKafkaAdminClient, groups: Collection[str], ends: Mapping[TopicPartition, int]) -> bool:
    for group in groups:
        try:
            committed = await client.list_consumer_group_offsets(group)
        except KafkaError:
            return True
        if any(max(getattr(committed.get(part), "offset", 0), 0) < end for part, end in ends.items()):
            return True
    return False
