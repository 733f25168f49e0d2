"""Who consumes the fills? The kit; a loop written by hand for this one job; a plain FastStream handler."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from bench.workload import Arena, change_positions
from libs.kit.consumer import consumer
from libs.kit.db import database
from libs.kit.ids import uuid7
from libs.kit.kafka import connection
from libs.schema.orders import OrderFilled

_BATCH = 1_000
_LOOK_SECONDS = 0.05


async def kit(arena: Arena, group: str) -> float:
    """Seconds that the kit's consumer takes."""
    watch = await arena.connect()
    async with database(arena.settings, "bench") as db:
        started = time.perf_counter()
        async with consumer(db, arena.settings, [change_positions], group=group):
            await _until_handled(watch, arena.events)
            seconds = time.perf_counter() - started
    await watch.close()
    return seconds


async def _until_handled(watch: asyncpg.Connection[asyncpg.Record], events: int) -> None:
    handled = 0
    while handled < events:
        await asyncio.sleep(_LOOK_SECONDS)
        handled = await watch.fetchval("SELECT count(*) FROM inbox")


async def by_hand(arena: Arena, group: str) -> float:
    """Seconds that the best loop takes that one can write for this one job: aiokafka, asyncpg, 1,000 a transaction."""
    client = AIOKafkaConsumer(
        arena.settings.kafka_prefix + OrderFilled.topic,
        **connection(arena.settings.kafka),
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    database_ = await arena.connect()
    started, done = time.perf_counter(), 0
    await client.start()
    while done < arena.events:
        batches = await client.getmany(timeout_ms=200, max_records=_BATCH)
        records = [record for batch in batches.values() for record in batch]
        if records:
            await _apply(database_, records)
            await client.commit()
            done += len(records)
    seconds = time.perf_counter() - started
    await client.stop()
    await database_.close()
    return seconds


async def _apply(database_: asyncpg.Connection[asyncpg.Record], records: Sequence[ConsumerRecord]) -> None:
    incoming = {UUID(dict(record.headers)["ce_id"].decode()): record for record in records}
    async with database_.transaction():
        rows = await database_.fetch(
            "INSERT INTO inbox (event_id, type) SELECT id, 'orders.OrderFilled.v1' FROM unnest($1::uuid[]) id "
            "ON CONFLICT DO NOTHING RETURNING event_id",
            list(incoming),
        )
        quantities: dict[UUID, Decimal] = {}
        tenants: dict[UUID, UUID] = {}
        outgoing = []
        now = datetime.now(UTC)
        for (event_id,) in rows:
            record = incoming[event_id]
            headers = dict(record.headers)
            fill = json.loads(record.value)
            account = UUID(fill["account_id"])
            tenants[account] = UUID(headers["ce_tenantid"].decode())
            quantities[account] = quantities.get(account, Decimal(0)) + Decimal(fill["last_quantity"])
            changed = json.dumps({
                "occurred_at": fill["occurred_at"], "account_id": fill["account_id"], "symbol": fill["symbol"],
                "currency": fill["currency"], "quantity": str(quantities[account]),
                "average_cost": fill["average_price"], "realised_pnl": "0.00", "fees": fill["commission"],
            })  # fmt: skip
            outgoing.append((
                uuid7(), "portfolio.v1", fill["account_id"], "portfolio.PositionChanged.v1", tenants[account], account, 1,
                now, now, UUID(headers["ce_correlationid"].decode()), event_id, None, changed,
            ))  # fmt: skip
        await database_.execute(
            "INSERT INTO position SELECT *, 1 FROM unnest($1::uuid[], $2::uuid[], $3::numeric[]) "
            "ON CONFLICT (account_id) DO UPDATE SET quantity = position.quantity + excluded.quantity, "
            "version = position.version + 1",
            list(quantities), [tenants[account] for account in quantities], list(quantities.values()),
        )  # fmt: skip
        await database_.execute(
            "INSERT INTO outbox (event_id, topic, key, type, tenant_id, subject, sequence, occurred_at, recorded_at, "
            "correlation_id, causation_id, traceparent, data) SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], "
            "$4::text[], $5::uuid[], $6::uuid[], $7::bigint[], $8::timestamptz[], $9::timestamptz[], $10::uuid[], "
            "$11::uuid[], $12::text[], $13::text[])",
            *map(list, zip(*outgoing, strict=True)),
        )


async def plain_faststream(arena: Arena, group: str, events: int) -> float:
    """Seconds that a FastStream handler takes for `events` fills, with a typed message and a transaction each."""
    broker = KafkaBroker(arena.settings.kafka_bootstrap, logger=None)
    database_ = await arena.connect()
    done, finished = 0, asyncio.Event()

    @broker.subscriber(
        arena.settings.kafka_prefix + OrderFilled.topic,
        group_id=group,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
    )
    async def handle(fill: OrderFilled) -> None:
        nonlocal done
        if done == events:
            return
        async with database_.transaction():
            await _apply_one(database_, fill)
        done += 1
        if done == events:
            finished.set()

    started = time.perf_counter()
    await broker.start()
    await finished.wait()
    seconds = time.perf_counter() - started
    await broker.stop()
    await database_.close()
    return seconds


async def _apply_one(database_: asyncpg.Connection[asyncpg.Record], fill: OrderFilled) -> None:
    now = datetime.now(UTC)
    await database_.execute("INSERT INTO inbox (event_id, type) VALUES ($1, $2)", fill.fill_id, "OrderFilled")
    quantity = await database_.fetchval(
        "INSERT INTO position VALUES ($1, $1, $2, 1) ON CONFLICT (account_id) DO UPDATE SET "
        "quantity = position.quantity + excluded.quantity, version = position.version + 1 RETURNING quantity",
        fill.account_id, fill.last_quantity,
    )  # fmt: skip
    await database_.execute(
        "INSERT INTO outbox (event_id, topic, key, type, tenant_id, subject, sequence, occurred_at, recorded_at, "
        "correlation_id, causation_id, traceparent, data) "
        "VALUES ($1, 'portfolio.v1', $2, 'portfolio.PositionChanged.v1', $3, $3, 1, $4, $4, $1, $5, NULL, $6)",
        uuid7(), str(fill.account_id), fill.account_id, now, fill.fill_id,
        json.dumps({"account_id": str(fill.account_id), "quantity": str(quantity)}),
    )  # fmt: skip
