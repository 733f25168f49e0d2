"""How far does consuming scale out? One, two and four partitions, with as many replicas, each a process."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import psutil
from aiokafka.admin import AIOKafkaAdminClient

from bench.fills import accounts, check_effects, forget_effects, make_tables, put_in_topic, rows_of_fills
from bench.report import Row
from bench.stage import Stage
from fillstream.installation import Installation
from libs.kit.kafka import admin
from libs.kit.outbox import OutboxRow
from libs.kit.settings import Settings

_LOOK_SECONDS = 0.02
_JOIN_SECONDS = 60
_BUSY = 90.0
_PARTITIONS = (1, 2, 4)


async def measure(place: Stage) -> Sequence[Row]:
    """Events a second with each number of partitions and replicas, beside those with one."""
    events = place.sized(40_000, 3_000)
    await make_tables(place)
    fills = rows_of_fills(events, accounts())
    rows: list[Row] = []
    rates: list[float] = []
    for count in _PARTITIONS:
        rate, busy = await _scaled(place, fills, count)
        grew = not rates or rate > rates[-1]
        rates.append(rate)
        rows.append(
            Row(
                f"events with {count} partitions and replicas", "1/s", rate, "one of each", rates[0], rate / rates[0],
                "" if count == 1 else "grows until the cores are used", None if count == 1 else grew or busy >= _BUSY,
                f"all {psutil.cpu_count()} cores together were {busy:.0f} % busy{_verdict(grew=grew, busy=busy)}",
            )
        )  # fmt: skip
    return rows


def _verdict(*, grew: bool, busy: float) -> str:
    if grew:
        return ""
    if busy >= _BUSY:
        return ": it stops here, because the consumers, PostgreSQL and Kafka share them and have used them up"
    return ": it stops here although they are not used up"


async def _scaled(place: Stage, fills: Sequence[OutboxRow], count: int) -> tuple[float, float]:
    """Events a second, and how busy the cores were in percent."""
    where = place.where.with_values(kafka_prefix=f"bench-{count}-", kafka_partitions=count)
    settings = where.settings(Settings)
    await put_in_topic(settings, fills)
    await forget_effects(place)
    watch = await place.connect("bench")
    async with _held_back(place) as let_go, _replicas(where, count), admin(settings.kafka) as client:
        await _until_joined(client, settings.kafka_prefix + "bench", count)
        psutil.cpu_percent()
        started = time.perf_counter()
        await let_go()
        while (await watch.fetchval("SELECT sum(version) FROM position") or 0) < len(fills):
            await asyncio.sleep(_LOOK_SECONDS)
        seconds, busy = time.perf_counter() - started, psutil.cpu_percent()
    await watch.close()
    await check_effects(place, len(fills))
    return len(fills) / seconds, busy


@asynccontextmanager
async def _held_back(place: Stage) -> AsyncIterator[object]:
    """Let nobody have an effect until all have joined and are told to begin."""
    holder = await place.connect("bench")
    transaction = holder.transaction()
    await transaction.start()
    await holder.execute("LOCK TABLE inbox IN EXCLUSIVE MODE")
    try:
        yield transaction.commit
    finally:
        await holder.close()


@asynccontextmanager
async def _replicas(where: Installation, count: int) -> AsyncIterator[None]:
    environment = os.environ | where.environment()
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.replica", env=environment)
        for _ in range(count)
    ]
    try:
        yield
    finally:
        for process in processes:
            if process.returncode is None:
                process.terminate()
        await asyncio.gather(*(process.wait() for process in processes))


async def _until_joined(client: AIOKafkaAdminClient, group: str, members: int) -> None:
    """Wait until the group is stable with so many members."""
    async with asyncio.timeout(_JOIN_SECONDS):
        while True:
            [answer] = await client.describe_consumer_groups([group])
            [(_, _, state, _, _, joined, *_)] = answer.groups
            if state == "Stable" and len(joined) == members:
                return
            await asyncio.sleep(_LOOK_SECONDS)
