"""How fast does the kit consume? Each event to inbox, an upserted position, and one outbox row."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence

import asyncpg

from bench.fills import (
    accounts,
    change_positions,
    check_effects,
    forget_effects,
    make_tables,
    put_in_topic,
    rows_of_fills,
)
from bench.peers import by_hand, plain_faststream
from bench.report import AtLeast, Row, compared
from bench.stage import Stage
from bench.turns import in_turns
from libs.kit.consumer import consumer
from libs.kit.db import database
from libs.schema.orders import OrderFilled

_LOOK_SECONDS = 0.02
_WORKER = "SET ROLE bench_worker"


async def measure(place: Stage) -> Sequence[Row]:
    """Events a second of the kit and of each peer."""
    events, one_by_one = place.sized(60_000, 4_000), place.sized(2_500, 300)
    await make_tables(place)
    await put_in_topic(place.settings, rows_of_fills(events, accounts()))

    async def kit(group: str) -> float:
        return await _rate(place, events, _kit(place, group, events))

    async def hand(group: str) -> float:
        return await _rate(place, events, _by_hand(place, group, events))

    async def quix(group: str) -> float:
        return await _rate(place, events, _quix(place, group, events))

    async def plain(group: str) -> float:
        return await _rate(place, one_by_one, _plain(place, group, one_by_one))

    rates = await in_turns(
        place.sized(3, 1), {"kit": kit, "by hand": hand, "quixstreams": quix, "plain FastStream": plain}
    )
    wanted = {"by hand": AtLeast(0.6), "plain FastStream": AtLeast(20), "quixstreams": AtLeast(1)}
    return [
        compared("events to inbox, position, outbox", "1/s", rates["kit"], peer, rates[peer], bound)
        for peer, bound in wanted.items()
    ]


async def _rate(place: Stage, events: int, seconds: asyncio.Future[float] | object) -> float:
    await forget_effects(place)
    took = await seconds  # type: ignore[misc]
    await check_effects(place, events)
    return events / took


async def _kit(place: Stage, group: str, events: int) -> float:
    watch = await place.connect("bench")
    async with database(place.settings, "bench") as db:
        started = time.perf_counter()
        async with consumer(db, place.settings, [change_positions], group=group):
            # A position's version counts its fills, and there are few positions.
            while (await watch.fetchval("SELECT sum(version) FROM position") or 0) < events:
                await asyncio.sleep(_LOOK_SECONDS)
            seconds = time.perf_counter() - started
    await watch.close()
    return seconds


async def _worker(place: Stage) -> asyncpg.Connection[asyncpg.Record]:
    connection = await place.connect("bench")
    await connection.execute(_WORKER)
    return connection


async def _by_hand(place: Stage, group: str, events: int) -> float:
    worker = await _worker(place)
    seconds = await by_hand.consume(place.settings, OrderFilled.topic, group, worker, events)
    await worker.close()
    return seconds


async def _plain(place: Stage, group: str, events: int) -> float:
    worker = await _worker(place)
    seconds = await plain_faststream.consume(place.settings, OrderFilled.topic, group, worker, events)
    await worker.close()
    return seconds


async def _quix(place: Stage, group: str, events: int) -> float:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.peers.quix", OrderFilled.topic, group, str(events),
        env=os.environ | place.where.environment(), stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    told, _ = await process.communicate()
    return float(told)
