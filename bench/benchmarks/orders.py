"""How fast are orders taken? `POST /v1/orders` at 32 connections, against routes that only insert two rows."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from statistics import median
from uuid import UUID

from bench.load import Answered, Load, Request, ask
from bench.processes import served
from bench.report import AtLeast, AtMost, Row, compared
from bench.stage import Stage
from libs.kit.ids import uuid7
from tests.issuer import Issuer, running_issuer

_CONNECTIONS = 32
# To the database, for each of them: fewer would make requests wait.
_POOL = {"FILLSTREAM_DATABASE_POOL_SIZE": "16"}
_TRADERS = 100
_TABLES = ("fill", '"order"', "outbox", "event_log", "idempotency_key")
_PREPARE = """
    INSERT INTO orders.market (symbol, currency) VALUES ('AAPL', 'USD');
    INSERT INTO orders.bar VALUES ('AAPL', '1d', '2024-01-02', 118, 119, 117, 118.5);
"""
_OPEN = """
    INSERT INTO orders.account (id, tenant_id, name, broker, currency, initial_cash, cash, reserved, auto_trading,
                                status, version)
    SELECT id, tenant_id, 'bench', 'paper', 'USD', 10000000000, 10000000000, 0, false, 'ACTIVE', 1
    FROM unnest($1::uuid[], $2::uuid[]) a (id, tenant_id)
"""


@dataclass(frozen=True)
class _Trader:
    """A workspace with an account."""

    tenant_id: UUID
    account_id: UUID
    token: str


async def measure(place: Stage) -> Sequence[Row]:
    """Orders a second and the slowest of a hundred."""
    async with running_issuer() as issuer, _servers(place, issuer) as (ours, bare, guarded):
        traders = [_Trader(tenant := uuid7(), uuid7(), issuer.token(tenant)) for _ in range(_TRADERS)]
        await _open_accounts(place, traders)
        rounds = [
            (
                await _ask(place, ours, [_request(trader) for trader in traders]),
                await _ask(place, bare, [_request(trader) for trader in traders]),
                await _ask(place, ours, [_request(trader, {"Idempotency-Key": "{number}"}) for trader in traders]),
                await _ask(place, guarded, [_request(trader) for trader in traders]),
            )
            for _ in range(place.sized(3, 1))
        ]
    ours_, bare_, keyed, guarded_ = ([turn[place_] for turn in rounds] for place_ in range(4))
    return [
        *_compared(ours_, bare_, "orders", (AtLeast(0.6), AtMost(2))),
        *_compared(keyed, bare_, "orders with an Idempotency-Key", (None, None)),
        *_compared(guarded_, bare_, "two inserts behind token, limits and tenant", (None, None)),
    ]


def _compared(
    ours: Sequence[Answered], bare: Sequence[Answered], what: str, wanted: tuple[AtLeast | None, AtMost | None]
) -> list[Row]:
    peer = "FastAPI + asyncpg, two inserts"
    rate, theirs = (median(turn.per_second for turn in turns) for turns in (ours, bare))
    slow, their_slow = (median(turn.p99_ms for turn in turns) for turns in (ours, bare))
    return [
        compared(f"{what} at {_CONNECTIONS} connections", "1/s", rate, peer, theirs, wanted[0]),
        compared(f"{what}, p99", "ms", slow, peer, their_slow, wanted[1]),
    ]


@asynccontextmanager
async def _servers(place: Stage, issuer: Issuer) -> AsyncIterator[tuple[str, str, str]]:
    async with AsyncExitStack() as stack:
        keys = _POOL | {"FILLSTREAM_JWKS_URL": issuer.jwks_url}
        ours = await stack.enter_async_context(served(place, "fillstream", "serve", "orders", environment=keys))
        bare = await stack.enter_async_context(served(place, "bench.peers.bare_orders", environment=_POOL))
        guarded = await stack.enter_async_context(served(place, "bench.peers.guarded_orders", environment=keys))
        yield ours.url, bare.url, guarded.url


async def _open_accounts(place: Stage, traders: Sequence[_Trader]) -> None:
    admin = await place.connect("orders")
    await admin.execute(_PREPARE)
    await admin.execute(_OPEN, [trader.account_id for trader in traders], [trader.tenant_id for trader in traders])
    await admin.close()


def _request(trader: _Trader, headers: dict[str, str] | None = None) -> Request:
    """An order that is affordable and rests: the bars never reach its limit."""
    order = {
        "account_id": str(trader.account_id), "symbol": "AAPL", "side": "BUY", "order_type": "LIMIT", "quantity": "1",
        "limit_price": "1.00", "time_in_force": "GTC",
    }  # fmt: skip
    return Request(
        "POST", "/v1/orders", {"Authorization": f"Bearer {trader.token}"} | (headers or {}), json.dumps(order)
    )


async def _ask(place: Stage, url: str, requests: list[Request]) -> Answered:
    await place.reset(*(f"orders.{table}" for table in _TABLES))
    seconds = place.sized(6, 1)
    answered = await ask(Load(url, 201, _CONNECTIONS, 1.0, float(seconds), requests))
    await _check(place, answered)
    return answered


async def _check(place: Stage, answered: Answered) -> None:
    """Raise AssertionError unless each answer stands for an order and an event."""
    admin = await place.connect("orders")
    [counts] = await admin.fetch(
        "SELECT (SELECT count(*) FROM \"order\" WHERE status = 'NEW'), "
        "(SELECT count(DISTINCT event_id) FROM (SELECT event_id FROM outbox UNION ALL SELECT event_id FROM event_log) e)"
    )
    await admin.close()
    if tuple(counts) != (answered.answers, answered.answers):
        raise AssertionError(f"{answered.answers} answers, {counts[0]} orders and {counts[1]} events")
