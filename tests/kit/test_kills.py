"""What if a process is killed, or frozen, at the worst moment? Its successor takes over, and every event has one effect."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from libs.kit.db import Database
from libs.kit.relay import relay
from libs.kit.settings import Settings
from libs.schema.marketdata import BarClosed
from tests.kit.builders import a_bar
from tests.kit.probe import Admin, Faults, consuming
from tests.kit.test_consumer import effects
from tests.kit.test_relay import nothing_waits, publish, waiting
from tests.world import PATIENCE_SECONDS, World, eventually


@asynccontextmanager
async def victim(role: str, settings: Settings) -> AsyncIterator[Process]:
    """Run a victim; killed at the end if it still lives."""
    own = {
        "FILLSTREAM_DATABASE_URL": settings.database_url.get_secret_value(),
        "FILLSTREAM_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "FILLSTREAM_KAFKA_PREFIX": settings.kafka_prefix,
    }
    if settings.encryption_key_url is not None:
        own["FILLSTREAM_ENCRYPTION_KEY_URL"] = settings.encryption_key_url
    root = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.kit.victim", role, cwd=root, env=os.environ | own
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def killed(role: str, settings: Settings) -> None:
    """Run the victim until it has killed itself."""
    async with victim(role, settings) as process:
        assert await asyncio.wait_for(process.wait(), PATIENCE_SECONDS) == -signal.SIGKILL


@asynccontextmanager
async def frozen(role: str, settings: Settings) -> AsyncIterator[Process]:
    """Run the victim until it stands still."""
    async with victim(role, settings) as process:

        async def stopped() -> None:
            assert psutil.Process(process.pid).status() == psutil.STATUS_STOPPED

        await eventually(stopped)
        yield process


async def test_a_consumer_killed_between_commit_and_offset_commit_has_one_effect(
    world: World, admin: Admin, settings: Settings
) -> None:
    await world.send(*(world.envelope(a_bar(day=day), sequence=day + 1) for day in range(5)))
    await killed("dying-consumer", settings)
    had = len(await admin.effects())
    assert had > 0

    async with consuming(settings, Faults()):
        await world.send(world.envelope(a_bar(day=5), sequence=6))
        assert await effects(admin, 6) == [("AAPL", n) for n in range(1, 7)]


async def test_a_relay_killed_between_acknowledgement_and_move_sends_again_to_one_effect(
    world: World, db: Database, admin: Admin, settings: Settings
) -> None:
    await publish(db, *(a_bar(day=day) for day in range(5)))
    await killed("dying-relay", settings)
    assert len(await waiting(admin)) == 5

    async with relay(db, settings), consuming(settings, Faults()):
        await nothing_waits(admin)
        await world.expect(BarClosed, 5)
        await publish(db, a_bar(day=5))
        assert len(await effects(admin, 6)) == 6
    assert len(world._seen) == 11  # noqa: SLF001 five of them twice


async def test_a_consumer_frozen_in_a_transaction_is_replaced_and_does_no_harm_when_it_wakes(
    world: World, admin: Admin, settings: Settings
) -> None:
    await world.send(*(world.envelope(a_bar(day=day), sequence=day + 1) for day in range(5)))
    async with frozen("freezing-consumer", settings) as zombie, consuming(settings, Faults()):
        found = await effects(admin, 5)
        zombie.send_signal(signal.SIGCONT)
        await asyncio.sleep(2)  # Nothing may happen now, and nothing tells when it would have.
        await world.send(world.envelope(a_bar(day=5), sequence=6))
        assert await effects(admin, 6) == [*found, ("AAPL", 6)]


async def test_a_frozen_relay_loses_its_lock_and_its_successor_sends_in_order(
    world: World, db: Database, admin: Admin, settings: Settings
) -> None:
    await publish(db, a_bar(day=0))
    async with frozen("freezing-relay", settings) as zombie, relay(db, settings):
        await publish(db, *(a_bar(day=day) for day in range(1, 4)))

        async def nothing_left() -> None:
            assert await waiting(admin) == []

        await eventually(nothing_left)
        zombie.send_signal(signal.SIGCONT)
        await publish(db, a_bar(day=4))
        found = await world.expect(BarClosed, 5)
    assert [e.event.open_time for e in found] == [a_bar(day=day).open_time for day in range(5)]
