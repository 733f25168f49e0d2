"""Who consumes the fills by hand? The best loop that one can write for this one job: aiokafka, asyncpg, 1,000 a time."""

from __future__ import annotations

import time

import asyncpg
from aiokafka import AIOKafkaConsumer

from bench.peers.effects import Message, have_effects
from libs.kit.kafka import connection
from libs.kit.settings import Settings

_BATCH = 1_000


async def consume(
    settings: Settings, topic: str, group: str, database: asyncpg.Connection[asyncpg.Record], events: int
) -> float:
    """Seconds until `events` fills have had their effects."""
    client = AIOKafkaConsumer(
        topic,
        **connection(settings.kafka),
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    started, done = time.perf_counter(), 0
    await client.start()
    while done < events:
        batches = await client.getmany(timeout_ms=200, max_records=_BATCH)
        messages = [Message(dict(record.headers), record.value) for batch in batches.values() for record in batch]
        if messages:
            await have_effects(database, messages)
            await client.commit()
            done += len(messages)
    seconds = time.perf_counter() - started
    await client.stop()
    return seconds
