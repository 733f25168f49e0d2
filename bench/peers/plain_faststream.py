"""Who consumes the fills one by one? A plain FastStream handler: a typed message and a transaction each, none lost."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime

import asyncpg
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from libs.kit.ids import uuid7
from libs.kit.settings import Settings
from libs.schema.orders import OrderFilled


async def consume(
    settings: Settings, topic: str, group: str, database: asyncpg.Connection[asyncpg.Record], events: int
) -> float:
    """Seconds until the first `events` fills have had their effects."""
    broker = KafkaBroker(settings.kafka_bootstrap, logger=None)
    done, finished = 0, asyncio.Event()

    # Its default would acknowledge before the handler has run.
    @broker.subscriber(
        topic,
        group_id=group,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
    )
    async def handle(fill: OrderFilled) -> None:
        nonlocal done
        if done == events:
            return
        async with database.transaction():
            await _have_effects(database, fill)
        done += 1
        if done == events:
            finished.set()

    started = time.perf_counter()
    await broker.start()
    await finished.wait()
    seconds = time.perf_counter() - started
    await broker.stop()
    return seconds


async def _have_effects(database: asyncpg.Connection[asyncpg.Record], fill: OrderFilled) -> None:
    now = datetime.now(UTC)
    await database.execute("INSERT INTO inbox (event_id, type) VALUES ($1, $2)", fill.fill_id, "OrderFilled")
    quantity = await database.fetchval(
        "INSERT INTO position VALUES ($1, $1, $2, 1) ON CONFLICT (account_id) DO UPDATE SET "
        "quantity = position.quantity + excluded.quantity, version = position.version + 1 RETURNING quantity",
        fill.account_id, fill.last_quantity,
    )  # fmt: skip
    await database.execute(
        "INSERT INTO outbox (event_id, topic, key, type, tenant_id, subject, sequence, occurred_at, recorded_at, "
        "correlation_id, causation_id, traceparent, data) "
        "VALUES ($1, 'portfolio.v1', $2, 'portfolio.PositionChanged.v1', $3, $3, 1, $4, $4, $1, $5, NULL, $6)",
        uuid7(), str(fill.account_id), fill.account_id, now, fill.fill_id,
        json.dumps({"account_id": str(fill.account_id), "quantity": str(quantity)}),
    )  # fmt: skip
