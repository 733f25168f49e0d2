"""How fast does the relay send? Outbox to Kafka to event log, against a producer that has the records in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from prometheus_client import REGISTRY

from bench.fills import accounts, forget_effects, make_tables, rows_of_fills
from bench.report import AtLeast, Row, compared
from bench.stage import Stage
from bench.turns import in_turns
from libs.kit.codec import headers_of
from libs.kit.db import database
from libs.kit.kafka import BATCH_BYTES, connection, create_topics, topic_specs
from libs.kit.outbox import OutboxRow
from libs.kit.relay import relay
from libs.schema.orders import OrderFilled

_LOOK_SECONDS = 0.01


async def measure(place: Stage) -> Sequence[Row]:
    """Events a second."""
    count = place.sized(40_000, 3_000)
    await make_tables(place)
    await create_topics(place.settings.kafka, topic_specs(place.settings, [OrderFilled.topic]))
    events = rows_of_fills(count, accounts())

    async def ours(_: str) -> float:
        await forget_effects(place)
        await _fill_outbox(place, events)
        before = await _in_topic(place)
        seconds = await _relay(place, count)
        await _check(place, count)
        return _rate(count, await _in_topic(place) - before, seconds)

    async def limit(_: str) -> float:
        before = await _in_topic(place)
        seconds = await _produce(place, events)
        return _rate(count, await _in_topic(place) - before, seconds)

    rates = await in_turns(place.sized(3, 1), {"ours": ours, "limit": limit})
    peer = "aiokafka from memory"
    return [compared("events from outbox to topic and log", "1/s", rates["ours"], peer, rates["limit"], AtLeast(0.6))]


def _rate(events: int, sent: int, seconds: float) -> float:
    if sent != events:
        raise AssertionError(f"{sent} of {events} events are in the topic")
    return events / seconds


async def _fill_outbox(place: Stage, events: Sequence[OutboxRow]) -> None:
    admin = await place.connect("bench")
    await admin.copy_records_to_table("outbox", records=events, columns=OutboxRow._fields)
    await admin.execute("ANALYZE outbox")
    await admin.close()


async def _check(place: Stage, events: int) -> None:
    admin = await place.connect("bench")
    [counts] = await admin.fetch("SELECT (SELECT count(*) FROM event_log), (SELECT count(*) FROM outbox)")
    await admin.close()
    if tuple(counts) != (events, 0):
        raise AssertionError(f"{events} events left {counts[1]} in the outbox and {counts[0]} in the log")


async def _relay(place: Stage, events: int) -> float:
    before = _published()
    async with database(place.settings, "bench") as db:
        started = time.perf_counter()
        async with relay(db, place.settings):
            while _published() - before < events:
                await asyncio.sleep(_LOOK_SECONDS)
            return time.perf_counter() - started


def _published() -> float:
    return REGISTRY.get_sample_value("fillstream_events_published_total", {"context": "bench"}) or 0.0


async def _produce(place: Stage, events: Sequence[OutboxRow]) -> float:
    topic = place.settings.kafka_prefix + OrderFilled.topic
    records = [(row.data.encode(), row.key.encode(), headers_of(row, "bench")) for row in events]
    async with _producer(place) as client:
        started = time.perf_counter()
        for value, key, headers in records:
            await client.send(topic, value, key, headers=headers)
        await client.flush()
        return time.perf_counter() - started


@asynccontextmanager
async def _producer(place: Stage) -> AsyncIterator[AIOKafkaProducer]:
    """One of aiokafka as it comes, as durable as the relay's, and with batches as large."""
    client = AIOKafkaProducer(
        **connection(place.settings.kafka), acks="all", enable_idempotence=True, max_batch_size=BATCH_BYTES
    )
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


async def _in_topic(place: Stage) -> int:
    topic = place.settings.kafka_prefix + OrderFilled.topic
    client = AIOKafkaConsumer(**connection(place.settings.kafka))
    await client.start()
    partitions = [TopicPartition(topic, number) for number in range(place.settings.kafka_partitions)]
    ends = await client.end_offsets(partitions)
    await client.stop()
    return sum(ends.values())
