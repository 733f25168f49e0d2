"""How long from a bar to a position? Signal, order, fill and ledger, against four hops that do nothing."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import quantiles

import httpx2
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from bench.processes import Served, served
from bench.report import AtMost, Row, compared
from bench.stage import Stage
from fillstream.contexts import load, load_all
from fillstream.inflight import watch_in_flight
from fillstream.replay import list_instruments
from libs.kit.db import Database, database
from libs.kit.kafka import connection, create_topics, producer, topic_specs
from libs.kit.settings import Settings
from libs.schema.portfolio import PositionChanged
from libs.schema.values import Timeframe
from services.marketdata import commands
from services.marketdata.model import Bar

_SYMBOL = "BENCH"
_FIRST = datetime(2024, 1, 2, tzinfo=UTC)
_HOPS = ("bench-1", "bench-2", "bench-3", "bench-4")
_PATIENCE_SECONDS = 60
_REST_SECONDS = 0.01
_HUNDREDTHS = 100
_Go = Callable[[], Awaitable[float]]
"""Sends one through and gives the seconds that it took."""


async def measure(place: Stage) -> Sequence[Row]:
    """Milliseconds: the median, and the slowest of a hundred."""
    rounds, each, warmup = place.sized(4, 1), place.sized(125, 20), place.sized(30, 5)
    await create_topics(place.settings.kafka, topic_specs(place.settings, _HOPS))
    async with _position(place) as (up, position), _chain(place) as chain:
        for _ in range(warmup):
            await position()
            await chain()
        ours, theirs, computed = list[float](), list[float](), 0.0
        for _ in range(rounds):
            before = up.processor_seconds()
            ours += await _times(position, each)
            computed += up.processor_seconds() - before
            theirs += await _times(chain, each)
    await _check(place, warmup + rounds * each)
    mine, peers = quantiles(ours, n=_HUNDREDTHS), quantiles(theirs, n=_HUNDREDTHS)
    peer = "four hops of aiokafka"
    note = (
        f"the services' process computes {computed / len(ours) * 1000:.1f} ms a bar, all that follows from it included"
    )
    return [
        compared("bar to position, p50", "ms", mine[49] * 1000, peer, peers[49] * 1000, AtMost(5), note=note),
        compared("bar to position, p99", "ms", mine[98] * 1000, peer, peers[98] * 1000, AtMost(3)),
    ]


async def _times(go: _Go, count: int) -> list[float]:
    took = []
    for _ in range(count):
        took.append(await go())
        await asyncio.sleep(_REST_SECONDS)
    return took


@dataclass
class _Bars:
    """Minutes whose closes jump up and down, so that each makes the strategy turn round."""

    number: int = 0

    def next(self) -> Bar:
        self.number += 1
        close = Decimal(110 if self.number % 2 else 100)
        opened = _FIRST + timedelta(minutes=self.number)
        return Bar(_SYMBOL, Timeframe.M1, opened, close, close + 1, close - 1, close, Decimal(1_000))


@asynccontextmanager
async def _position(place: Stage) -> AsyncIterator[tuple[Served, _Go]]:
    """All services as `fillstream up` runs them, with a strategy that turns round at every bar."""
    async with AsyncExitStack() as stack:
        up = await stack.enter_async_context(served(place, "fillstream", "up", environment={}))
        db = await stack.enter_async_context(database(place.where.of(load("marketdata")), "marketdata"))
        await _set_up(place, up.url, db)
        changed = await stack.enter_async_context(_listening(place.settings, PositionChanged.topic))
        bars = _Bars()

        async def one() -> float:
            bar = bars.next()
            started = time.perf_counter()
            async with db.public() as tx:
                await commands.record_bars(tx, [bar])
            await _until(changed, PositionChanged.type())
            return time.perf_counter() - started

        # The first bar only gives the strategy something to compare with.
        async with db.public() as tx:
            await commands.record_bars(tx, [bars.next()])
        yield up, one


async def _set_up(place: Stage, url: str, db: Database) -> None:
    await list_instruments(db, {_SYMBOL: "USD"})
    async with (
        httpx2.AsyncClient(base_url=url, trust_env=False, timeout=30) as client,
        watch_in_flight(load_all(), place.settings) as in_flight,
    ):
        person = {"email": "bench@example.com", "password": secrets.token_urlsafe(24)}
        await _post(client, "/v1/auth/register", person | {"workspace_name": "bench"})
        token = (await _post(client, "/v1/auth/login", person))["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        await in_flight.wait_until_none()
        # The venue matches against days: this one opens after every minute, so that an order trades at once.
        day = Bar(_SYMBOL, Timeframe.D1, _FIRST + timedelta(days=2), *(Decimal(n) for n in (100, 101, 99, 100, 1_000)))
        async with db.public() as tx:
            await commands.record_bars(tx, [day])
        account = {"name": "bench", "currency": "USD", "initial_cash": "1000000.00", "auto_trading": True}
        await _post(client, "/v1/accounts", account)
        parameters = {"kind": "donchian", "entry": 1, "exit": 1}
        strategy = {"name": "bench", "symbol": _SYMBOL, "timeframe": "1m", "size": "1", "parameters": parameters}
        await _post(client, "/v1/strategies", strategy)
        await in_flight.wait_until_none()


async def _post(client: httpx2.AsyncClient, path: str, body: dict[str, object]) -> dict[str, str]:
    answer = await client.post(path, json=body)
    if not answer.is_success:
        raise RuntimeError(f"{path} answered {answer.status_code}: {answer.text}")
    document: dict[str, str] = answer.json()
    return document


@asynccontextmanager
async def _chain(place: Stage) -> AsyncIterator[_Go]:
    """The four hops."""
    topics = [place.settings.kafka_prefix + hop for hop in _HOPS]
    async with (
        served(place, "bench.peers.bare_chain", *topics, environment={}),
        _listening(place.settings, _HOPS[-1]) as arrived,
        producer(place.settings.kafka, "bench-chain") as sender,
    ):
        value = json.dumps(dict.fromkeys(("open", "high", "low", "close", "volume", "open_time"), "118.56")).encode()

        async def one() -> float:
            started = time.perf_counter()
            await _begin(sender, topics[0], value)
            await _until(arrived, "bench")
            return time.perf_counter() - started

        yield one


async def _begin(sender: AIOKafkaProducer, topic: str, value: bytes) -> None:
    await sender.send_and_wait(topic, value, _SYMBOL.encode(), headers=[("ce_type", b"bench")])


@asynccontextmanager
async def _listening(settings: Settings, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A look at what arrives in a topic from now on."""
    client = AIOKafkaConsumer(**connection(settings.kafka))
    await client.start()
    partitions = [TopicPartition(settings.kafka_prefix + topic, number) for number in range(settings.kafka_partitions)]
    client.assign(partitions)
    await client.seek_to_end()
    try:
        yield client
    finally:
        await client.stop()


async def _until(client: AIOKafkaConsumer, kind: str) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            record: ConsumerRecord = await client.getone()
            if dict(record.headers)["ce_type"] == kind.encode():
                return


async def _check(place: Stage, bars: int) -> None:
    """Raise AssertionError unless each bar made an order, a fill and an entry in the ledger."""
    admin = await place.connect()
    [counts] = await admin.fetch(
        "SELECT (SELECT count(*) FROM signals.signal), (SELECT count(*) FROM orders.fill), "
        "(SELECT count(*) FROM portfolio.journal_entry WHERE kind = 'fill')"
    )
    await admin.close()
    if set(counts) != {bars}:
        raise AssertionError(f"{bars} bars made {tuple(counts)} signals, fills and entries")
