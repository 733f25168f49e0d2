"""Servers come and go under running services: they say so, go on by themselves, and lose nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx2
import pytest

from fillstream.contexts import load, load_all, names
from fillstream.demo.proofs import Evidence, prove
from fillstream.demo.tenant import Tenant, open_for_trading, register
from fillstream.embedded.home import open_home
from fillstream.embedded.kafka import KafkaServer
from fillstream.embedded.postgres import PostgresServer, StopMode
from fillstream.embedded.stack import kafka_runtime, remove_home
from fillstream.inflight import watch_in_flight
from fillstream.installation import Installation, prepare
from libs.kit.db import database
from libs.kit.settings import Settings
from libs.schema.values import plain
from services.marketdata.model import Bar
from tests.deploy.test_gateway import free_port
from tests.fillstream.builders import SMALL_WORKSPACES, a_walk, together
from tests.keysets import keyset_url
from tests.proved import prove_address
from tests.second_factor import asking, log_in_as_staff
from tests.system.commands import Program, becomes, fillstream, running
from tests.world import eventually

FEED = {"email": "feed@example.com", "password": "correct horse battery staple"}


@dataclass(frozen=True)
class Site:
    """Servers and services that can be taken away one by one."""

    where: Installation
    postgres: PostgresServer
    kafka: KafkaServer
    services: Program
    url: str
    client: httpx2.AsyncClient

    async def post(self, bars: Sequence[Bar]) -> None:
        """Record bars as a feed does, which tries again when it is told to."""
        body = {"bars": [as_json(bar) for bar in bars]}

        async def taken() -> None:
            try:
                answer = await self.client.post("/v1/bars", json=body)
            except httpx2.HTTPError as error:
                raise AssertionError(repr(error)) from error
            if answer.status_code not in {201, 503}:
                pytest.fail(f"what can't be done now is told as {answer.status_code}: {answer.text}")
            assert answer.status_code == 201

        await eventually(taken)

    async def quiet(self) -> None:
        """Wait until all that follows from the bars is done."""
        async with watch_in_flight(load_all(), self.where.settings(Settings)) as in_flight:
            await in_flight.wait_until_none()

    async def fetch(self, sql: str) -> list[asyncpg.Record]:
        """Ask the database as its administrator."""
        admin = await asyncpg.connect(self.postgres.url)
        try:
            return await admin.fetch(sql)
        finally:
            await admin.close()


def as_json(bar: Bar) -> dict[str, str]:
    prices = {name: plain(getattr(bar, name)) for name in ("open", "high", "low", "close", "volume")}
    return {"symbol": bar.symbol, "timeframe": "1d", "open_time": bar.open_time.isoformat()} | prices


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    place = open_home(tmp_path / "home")
    postgres, kafka = PostgresServer(place), KafkaServer(place, await kafka_runtime(place, lambda _: None))
    await postgres.start()
    await kafka.start()
    port = free_port()
    where = Installation(
        {
            "database_url": postgres.url, "kafka_bootstrap": kafka.bootstrap, "http_port": port, "log_level": "ERROR",
            "encryption_key_url": keyset_url(), "stall_seconds": 10,
            "mail_token_secret": "not much of a secret, but a long one",
        }
    )  # fmt: skip
    await prepare(where)
    url = f"http://127.0.0.1:{port}"
    variables = where.with_values(jwks_url=f"{url}/.well-known/jwks.json").environment()
    try:
        async with (
            running("serve", *names(), log=tmp_path / "serve.log", **variables) as services,
            httpx2.AsyncClient(base_url=url, trust_env=False, timeout=30) as client,
        ):
            await becomes(url, 200)
            yield Site(where, postgres, kafka, services, url, client)
    finally:
        await postgres.stop(StopMode.IMMEDIATE)
        await kafka.kill()
        await remove_home(place.path)


async def open_the_feed(site: Site) -> None:
    """Let somebody write market data, list the instruments, and act as that person from now on."""
    (await site.client.post("/v1/auth/register", json=FEED)).raise_for_status()
    async with database(site.where.of(load("auth")), "auth") as db:
        await prove_address(db, FEED["email"])
    granted = await fillstream("admin", "create", FEED["email"], **site.where.environment())
    assert granted.status == 0, granted
    token = (await log_in_as_staff(asking(site.client), FEED["email"], FEED["password"]))["access_token"]
    site.client.headers["Authorization"] = f"Bearer {token}"
    for symbol in ("AAPL", "IBM"):
        (
            await site.client.post("/v1/instruments", json={"symbol": symbol, "name": symbol, "currency": "USD"})
        ).raise_for_status()


async def people_who_trade(site: Site) -> list[Tenant]:
    people = [await register(site.client, workspace) for workspace in SMALL_WORKSPACES]
    await site.quiet()
    tenants = [await open_for_trading(site.client, person) for person in people]
    await site.quiet()
    return tenants


async def test_services_outlive_their_servers_and_no_bar_is_lost(site: Site) -> None:
    await open_the_feed(site)
    tenants = await people_who_trade(site)
    bars = together(a_walk("AAPL", 100), a_walk("IBM", 100))
    parts = [bars[first : first + 40] for first in range(0, 200, 40)]

    await site.post(parts[0])
    await site.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'fillstream-%'"
    )
    await site.post(parts[1])
    await becomes(site.url, 200)

    await site.postgres.stop(StopMode.FAST)
    await becomes(site.url, 503)
    refused = await site.client.post("/v1/bars", json={"bars": [as_json(bar) for bar in parts[2]]})
    assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json")
    await site.postgres.start()
    await site.post(parts[2])
    await becomes(site.url, 200)

    await site.kafka.stop()
    await becomes(site.url, 503)
    # The outbox keeps what the broker can't take.
    await site.post(parts[3])
    await site.kafka.start()
    await becomes(site.url, 200)
    await site.post(parts[4])

    await site.quiet()
    assert site.services.process.returncode is None
    proofs = await prove(Evidence(site.where, load_all(), tenants, bars))
    assert all(proof.holds for proof in proofs), [proof.violations[:5] for proof in proofs]
    [[kept]] = await site.fetch("SELECT count(*) FROM marketdata.bar")
    assert kept == len(bars)
    assert await site.fetch("SELECT 1 FROM orders.fill")
