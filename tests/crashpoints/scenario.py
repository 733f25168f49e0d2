"""What happens in a run? A person comes, trades by hand and by strategy, cancels; a record comes that nobody can read.

Between its steps everything comes to rest, so that what happens does not depend on who is quicker. The paper venue trades
an order in full or not at all, so the fills are parts of a position and not of an order.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fillstream.contexts import Context, load
from libs.kit.db import database
from libs.kit.dead_letters import open_letters
from libs.kit.retry import discard
from libs.schema.marketdata import BarClosed
from services.auth.commands import grant_admin
from tests.crashpoints.client import Client
from tests.crashpoints.stage import Stage

INITIAL_CASH = "10000"
_PASSWORD = "correct horse battery staple"


@dataclass(frozen=True, slots=True)
class Day:
    """A daily bar."""

    date: str
    open: str
    high: str
    low: str
    close: str


QUIET = Day("2020-01-01", "100", "101", "99", "100")
BREAKOUT = Day("2020-01-02", "101", "115", "100", "110")
"""Closes above the day before: the strategy wants to be long."""
FIRST_FILL = Day("2020-01-03", "112", "125", "105", "111")
# Orders by hand have the time of the clock, so they meet days that are yet to come.
SECOND_FILL = Day("2040-01-02", "120", "130", "119", "121")
BREAKDOWN = Day("2040-01-03", "118", "119", "80", "90")
"""Closes below the day before: the strategy wants to be flat."""
LAST_FILL = Day("2040-01-04", "92", "95", "85", "91")


@dataclass(frozen=True)
class Run:
    """One person's story, with names that no other run has."""

    stage: Stage
    name: str

    @property
    def client(self) -> Client:
        """How the person reaches the services."""
        return self.stage.client

    @property
    def symbol(self) -> str:
        """What is traded."""
        return f"S{self.name}"

    @property
    def dead_symbol(self) -> str:
        """That of which a bar comes that nobody can read, and then one that waits behind it."""
        return f"T{self.name}"

    @property
    def poisoned_topics(self) -> list[str]:
        """Where a record is put that nobody can read: one of bars, and one for each topic of the service under test."""
        return [BarClosed.topic, *sorted(load(self.stage.service).topics())]

    @property
    def email(self) -> str:
        """The person's address."""
        return f"p{self.name.lower()}@example.com"

    async def rest(self) -> None:
        """Wait until nothing is in flight. Raises NeverQuiet."""
        await self.stage.in_flight.wait_until_none()


@dataclass(frozen=True)
class Person:
    """Whoever has registered."""

    workspace_id: UUID
    account_id: str
    token: str


async def play(run: Run) -> Person:
    """Play the whole scenario. Raises Refused, NeverQuiet, and AssertionError for what can't be as it is."""
    token, workspace_id = await _come(run)
    account = await run.client.post(
        "/v1/accounts",
        token,
        {"name": "paper", "currency": "USD", "initial_cash": INITIAL_CASH, "auto_trading": True},
        key="account",
    )
    person = Person(workspace_id, account["id"], token)
    acts: Sequence[Callable[[Run, Person], Awaitable[None]]] = (
        _list_instruments, _start_strategy, _trade_by_strategy, _trade_by_hand, _change_of_mind, _poison, _look,
    )  # fmt: skip
    for act in acts:
        await act(run, person)
        await run.rest()
    return person


async def _come(run: Run) -> tuple[str, UUID]:
    credentials = {"email": run.email, "password": _PASSWORD}
    await run.client.make("/v1/auth/register", "", credentials | {"workspace_name": run.name})
    auth = load("auth")
    async with database(run.stage.where.of(auth), "auth") as db, db.work() as tx:
        await grant_admin(tx, run.email)
    session = await run.client.post("/v1/auth/login", "", credentials)
    await run.rest()
    return session["access_token"], UUID(session["workspace_id"])


async def _list_instruments(run: Run, person: Person) -> None:
    for symbol in (run.symbol, run.dead_symbol):
        await run.client.make("/v1/instruments", person.token, {"symbol": symbol, "name": symbol})


async def _start_strategy(run: Run, person: Person) -> None:
    await run.client.post(
        "/v1/strategies",
        person.token,
        {
            "name": "breakouts",
            "symbol": run.symbol,
            "size": "10",
            "parameters": {"kind": "donchian", "entry": 1, "exit": 1, "allow_short": False},
        },
        key="strategy",
    )


async def _trade_by_strategy(run: Run, person: Person) -> None:
    await _close_bars(run, person, run.symbol, QUIET, BREAKOUT)
    await _close_bars(run, person, run.symbol, FIRST_FILL)


async def _trade_by_hand(run: Run, person: Person) -> None:
    market = {"side": "BUY", "order_type": "MARKET", "quantity": "5", "time_in_force": "GTC"}
    limit = {"side": "BUY", "order_type": "LIMIT", "quantity": "5", "limit_price": "1"}
    await _order(run, person, "to-fill", market)
    cancelled = await _order(run, person, "to-cancel", limit | {"time_in_force": "GTC"})
    await _order(run, person, "to-deny", market | {"quantity": "1000000"})
    await _order(run, person, "to-expire", limit | {"time_in_force": "DAY"})
    await run.rest()
    await run.client.post(f"/v1/orders/{cancelled}/cancel", person.token, key="cancel")
    await run.rest()
    await _close_bars(run, person, run.symbol, SECOND_FILL)


async def _change_of_mind(run: Run, person: Person) -> None:
    await _close_bars(run, person, run.symbol, BREAKDOWN)
    await _close_bars(run, person, run.symbol, LAST_FILL)


async def _poison(run: Run, person: Person) -> None:
    """Records that nobody can read, one with a good record behind it; then both are seen to."""
    keys = {run.dead_symbol.encode(), f"poison-{run.name}".encode()}
    prefix = run.stage.settings.kafka_prefix
    bars, *others = run.poisoned_topics
    await run.stage.producer.send_and_wait(prefix + bars, b"{", run.dead_symbol.encode())
    for topic in others:
        await run.stage.producer.send_and_wait(prefix + topic, b"{", f"poison-{run.name}".encode())
    await run.rest()
    await _close_bars(run, person, run.dead_symbol, QUIET)
    for context in run.stage.contexts:
        if context.topics():
            await _discard_dead(run, context, keys)


async def _discard_dead(run: Run, context: Context, keys: set[bytes]) -> None:
    settings = run.stage.where.of(context)
    async with database(settings, context.name) as db:
        for letter in await open_letters(db):
            if letter.key in keys and letter.state == "dead":
                outcome = await discard(db, context.handlers(settings), letter.id)
                assert (outcome.remaining, outcome.error) == (0, None), f"{context.name}: {outcome}"


async def _look(run: Run, person: Person) -> None:
    for path in (
        "/v1/me", "/v1/plans", "/v1/subscription", "/v1/entitlements", "/v1/instruments", f"/v1/bars?symbol={run.symbol}",
        "/v1/strategies", "/v1/signals", "/v1/accounts", "/v1/orders", "/v1/fills", "/v1/positions", "/v1/portfolio",
        "/v1/portfolio/history", "/v1/portfolio/performance", "/v1/ledger", "/v1/notifications",
    ):  # fmt: skip
        await run.client.get(path, person.token)
    await run.client.post("/v1/notifications/read-all", person.token)


async def _order(run: Run, person: Person, name: str, wanted: dict[str, str]) -> str:
    body = {"account_id": person.account_id, "client_order_id": name, "symbol": run.symbol} | wanted
    placed = await run.client.post("/v1/orders", person.token, body, key=name)
    return str(placed["id"])


async def _close_bars(run: Run, person: Person, symbol: str, *days: Day) -> None:
    bars: list[dict[str, Any]] = [
        {
            "symbol": symbol, "timeframe": "1d", "open_time": f"{day.date}T00:00:00Z", "open": day.open,
            "high": day.high, "low": day.low, "close": day.close, "volume": "1000",
        }
        for day in days
    ]  # fmt: skip
    await run.client.post("/v1/bars", person.token, {"bars": bars}, key=f"{symbol} {days[0].date}")
    await run.rest()
