"""Services are killed at any time and started again: whatever was half done then has its effect once."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import asyncpg
import httpx2

from fillstream.contexts import load, load_all, names
from fillstream.demo.proofs import Evidence, prove
from fillstream.demo.tenant import Tenant, open_for_trading, register
from fillstream.inflight import InFlight, watch_in_flight
from fillstream.installation import Installation
from fillstream.replay import list_instruments, replay_freely
from libs.kit.db import database
from libs.kit.settings import Settings
from tests.deploy.test_gateway import free_port
from tests.fillstream.builders import SMALL_WORKSPACES, a_walk, no_step, together
from tests.system.commands import becomes, running
from tests.world import eventually

LIVES = 3
"""The last one is not cut short."""
RATE = 60.0
"""Bars a second: few enough that they come in many small batches, each with a commit to be killed around."""


async def people_who_trade(url: str, in_flight: InFlight) -> list[Tenant]:
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=30) as client:
        people = [await register(client, workspace) for workspace in SMALL_WORKSPACES]
        await in_flight.wait_until_none()
        return [await open_for_trading(client, person) for person in people]


async def consumed(url: str) -> int:
    """How many events orders has consumed."""
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM orders.inbox"))
    finally:
        await connection.close()


async def is_at_work(url: str, feeding: asyncio.Task[None]) -> None:
    """Wait until orders consumes, or may have done so before anybody looked."""
    before = await consumed(url)

    async def more() -> None:
        assert feeding.done() or await consumed(url) > before

    await eventually(more)


async def test_services_that_are_killed_at_any_time_come_to_the_same(where: Installation, tmp_path: Path) -> None:
    seed = int(os.environ.get("FILLSTREAM_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    print(f"again with FILLSTREAM_TEST_SEED={seed}")  # noqa: T201 shown when it fails
    chance = random.Random(seed)
    settings = where.settings(Settings)
    database_url = settings.database_url.get_secret_value()
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    variables = where.with_values(
        http_port=port, jwks_url=f"{address}/.well-known/jwks.json", log_level="ERROR"
    ).environment()
    bars = together(a_walk("AAPL", 600, seed), a_walk("IBM", 600, seed))
    tenants: list[Tenant] = []
    feeding: asyncio.Task[None] | None = None
    async with (
        database(where.of(load("marketdata")), "marketdata") as db,
        watch_in_flight(load_all(), settings) as in_flight,
    ):
        await list_instruments(db, {"AAPL": "USD", "IBM": "USD"})
        for life in range(LIVES):
            async with running("serve", *names(), log=tmp_path / f"serve{life}.log", **variables) as services:
                await becomes(address, 200)
                if feeding is None:
                    tenants = await people_who_trade(address, in_flight)
                    await in_flight.wait_until_none()
                    feeding = asyncio.create_task(replay_freely(db, bars, RATE, no_step))
                await is_at_work(database_url, feeding)
                if life < LIVES - 1:
                    # Any moment will do; that is the point.
                    await asyncio.sleep(chance.uniform(0, 2))
                    services.process.kill()
                    await services.process.wait()
                    continue
                await feeding
                await in_flight.wait_until_none()
                proofs = await prove(Evidence(where, load_all(), tenants, bars))
    assert all(proof.holds for proof in proofs), [proof.violations[:5] for proof in proofs]
    assert all(proof.looked_at[0] != "0" for proof in proofs)
