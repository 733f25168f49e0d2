"""Bars that are drawn by a seed, small workspaces that trade them, and whole installations to trade on."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

import asyncpg
import httpx2

from fillstream.contexts import load, load_all
from fillstream.demo.tenant import Tenant, open_for_trading, register
from fillstream.demo.workspaces import Workspace
from fillstream.embedded.stack import Endpoints
from fillstream.inflight import InFlight, watch_in_flight
from fillstream.installation import Installation
from fillstream.replay import list_instruments
from fillstream.serve import Serving, serving
from libs.kit.db import Database, database
from libs.kit.settings import Settings
from libs.schema.values import Timeframe
from services.marketdata.model import Bar
from services.signals.backtest import Leg
from services.signals.rules import PARAMETERS
from tests.keysets import keyset_url
from tests.world import topics_of

MONDAY = datetime(2011, 3, 7, tzinfo=UTC)
_numbers = count(1)


def a_bar(symbol: str = "AAPL", *, day: int = 0, close: Decimal | str = "105") -> Bar:
    """A daily bar around 100, `day` days after the first Monday."""
    prices = (Decimal(100), max(Decimal(110), Decimal(close)), Decimal(95), Decimal(close))
    return Bar(symbol, Timeframe.D1, MONDAY + timedelta(days=day), *prices, Decimal(1_000))


def a_walk(symbol: str, days: int, seed: int = 1) -> list[Bar]:
    """A random walk in cents from 100 on."""
    chance = random.Random(f"{symbol} {seed}")
    bars, close = [], 100.0
    for day in range(days):
        open_ = close * chance.gauss(1, 0.01)
        close = open_ * chance.gauss(1, 0.03)
        high, low = max(open_, close) * 1.005, min(open_, close) * 0.995
        prices = [Decimal(price).quantize(Decimal("0.01")) for price in (open_, high, low, close)]
        bars.append(Bar(symbol, Timeframe.D1, MONDAY + timedelta(days=day), *prices, Decimal(1_000)))
    return bars


def together(*series: Sequence[Bar]) -> list[Bar]:
    """Bars of several instruments in the order of their times."""
    return sorted((bar for bars in series for bar in bars), key=lambda bar: (bar.open_time, bar.symbol))


def _leg(symbol: str, size: int, **parameters: object) -> Leg:
    return Leg(symbol, PARAMETERS.validate_python(parameters), Decimal(size))


# So few shares that buying power is never short, also while many orders wait for bars that are late.
SMALL_WORKSPACES = (
    Workspace("crossing", (_leg("AAPL", 3, kind="sma_cross", fast=2, slow=5),)),
    Workspace(
        "channels",
        (_leg("AAPL", 2, kind="donchian", entry=4, exit=2), _leg("IBM", 1, kind="donchian", entry=3, exit=3)),
    ),
)


@asynccontextmanager
async def an_installation(stack: Endpoints, template: str) -> AsyncIterator[Installation]:
    """A migrated database and topics of their own."""
    name = f"front_{os.getpid()}_{next(_numbers)}"
    admin = await asyncpg.connect(stack.database_url)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    where = Installation(
        {
            "database_url": stack.database_url, "kafka_bootstrap": stack.kafka_bootstrap, "kafka_prefix": f"{name}-",
            "kafka_partitions": 2, "http_port": 0,
            "encryption_key_url": keyset_url(),
            "mail_token_secret": "not much of a secret, but a long one",
        }
    ).sibling_database(name)  # fmt: skip
    async with topics_of(where.settings(Settings)):
        yield where
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@dataclass(frozen=True)
class House:
    """All services at work on an installation, with people who trade."""

    where: Installation
    serving: Serving
    client: httpx2.AsyncClient
    in_flight: InFlight
    marketdata: Database
    tenants: Sequence[Tenant]

    async def fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """Ask the database as its administrator."""
        admin = await asyncpg.connect(self.where.settings(Settings).database_url.get_secret_value())
        try:
            return await admin.fetch(sql, *arguments)
        finally:
            await admin.close()


@asynccontextmanager
async def a_house(
    where: Installation, workspaces: Sequence[Workspace], symbols: Sequence[str] = ("AAPL", "IBM")
) -> AsyncIterator[House]:
    """Run all services in this process and let a person for each workspace get ready to trade."""
    contexts = load_all()
    async with (
        serving(contexts, where) as running,
        watch_in_flight(contexts, where.settings(Settings)) as in_flight,
        httpx2.AsyncClient(base_url=running.url, trust_env=False, timeout=30) as client,
        database(where.of(load("marketdata")), "marketdata") as marketdata,
    ):
        await list_instruments(marketdata, dict.fromkeys(symbols, "USD"))
        people = [await register(client, workspace) for workspace in workspaces]
        await in_flight.wait_until_none()
        tenants = [await open_for_trading(client, person) for person in people]
        await in_flight.wait_until_none()
        yield House(where, running, client, in_flight, marketdata, tenants)


async def no_step(_moment: datetime, _count: int) -> None:
    """Nobody looks on."""
