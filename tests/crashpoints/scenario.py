"""What happens in a run? A person comes, trades by hand and by strategy, cancels; a record comes that nobody can read.

Between its acts everything comes to rest, so that what happens in one does not depend on who is quicker. The paper venue trades
an order in full or not at all, so the fills are parts of a position and not of an order.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from fastapi.routing import APIRoute

from fillstream.contexts import load
from libs.kit.dead_letters import open_letters
from libs.kit.retry import discard
from libs.schema.marketdata import BarClosed
from services.auth.commands.staff import grant_role
from services.auth.model import PlatformRole
from tests.crashpoints.client import Client, Refused
from tests.crashpoints.stage import Stage
from tests.proved import prove_address
from tests.second_factor import Json, log_in_as_staff

INITIAL_CASH = "10000"
PASSWORD = "correct horse battery staple"
_NOT_TO_ASK = re.compile(r"\{|/stream$|/device/approval$|/referral-codes$|/customers$")
"""Paths of one thing, one whose answer does not end, one that needs a code that a device shows, and those of resellers."""


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


@dataclass
class Leaver:
    """A second person, who trades a little, wants to know what is held about them, and is erased."""

    email: str
    user_id: UUID
    workspace_id: UUID
    token: str
    account_id: str = ""


@dataclass
class Run:
    """One person's story, with names that no other run has."""

    stage: Stage
    name: str
    workspace_id: UUID = field(init=False)
    account_id: str = field(init=False)
    token: str = ""
    leaver: Leaver = field(init=False)
    order_ids: dict[str, str] = field(default_factory=dict)
    """By the client's own."""

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
        """That of which a record comes that nobody can read, and then a bar that waits behind it."""
        return f"T{self.name}"

    @property
    def poison(self) -> dict[str, bytes]:
        """A key for each topic of the service under test, where a record is put that nobody can read."""
        keys = {BarClosed.topic: self.dead_symbol.encode()}
        return {topic: keys.get(topic, f"poison-{self.name}".encode()) for topic in self.topics}

    @property
    def topics(self) -> list[str]:
        """What the service under test listens to."""
        return sorted(load(self.stage.service).topics())

    @property
    def email(self) -> str:
        """The person's address."""
        return f"p{self.name.lower()}@example.com"

    async def post(self, path: str, body: object, key: str) -> dict[str, Any]:
        """Do something once. Raises Refused."""
        return await self.client.post(path, self.token, body, key)

    async def close_bars(self, symbol: str, *days: Day) -> None:
        """Let bars close."""
        bars = [
            {
                "symbol": symbol, "timeframe": "1d", "open_time": f"{day.date}T00:00:00Z", "open": day.open,
                "high": day.high, "low": day.low, "close": day.close, "volume": "1000",
            }
            for day in days
        ]  # fmt: skip
        await self.post("/v1/bars", {"bars": bars}, key=f"{symbol} {days[0].date}")

    async def order(self, name: str, **wanted: str) -> None:
        """Place an order."""
        body = {"account_id": self.account_id, "client_order_id": name, "symbol": self.symbol} | wanted
        self.order_ids[name] = (await self.post("/v1/orders", body, key=name))["id"]


Act = Callable[[Run], Awaitable[None]]


async def register(run: Run) -> None:
    credentials = {"email": run.email, "password": PASSWORD}
    await run.client.make("/v1/auth/register", "", credentials | {"workspace_name": run.name})


async def log_in(run: Run) -> None:
    await prove_address(run.stage.databases["auth"], run.email)
    async with run.stage.databases["auth"].work() as tx:
        await grant_role(tx, run.email, PlatformRole.ADMIN)

    async def ask(path: str, body: Json, token: str) -> Json:
        return await run.client.post(path, token, body)

    session = await log_in_as_staff(ask, run.email, PASSWORD, Refused)
    run.token, run.workspace_id = session["access_token"], UUID(session["workspace_id"])


async def say_who_one_is(run: Run) -> None:
    await run.client.patch("/v1/me", run.token, {"first_name": run.name, "time_zone": "Europe/London"})
    await run.client.patch("/v1/profile", run.token, {"zip_code": "560001", "risk_tolerance": "LOW"})


async def share_the_workspace(run: Run) -> None:
    """An invitation that is sent once more takes the place of the one whose answer was lost."""
    path = f"/v1/workspaces/{run.workspace_id}"
    await run.client.patch(path, run.token, {"name": f"{run.name} desk"})
    friend = {"email": f"friend-of-{run.email}", "role": "TRADER"}
    await run.client.post(f"{path}/invitations", run.token, friend)


async def forget_the_password(run: Run) -> None:
    await run.client.post("/v1/auth/password-reset", "", {"email": run.email})


async def open_account(run: Run) -> None:
    account = {"name": "paper", "currency": "USD", "initial_cash": INITIAL_CASH, "auto_trading": True}
    run.account_id = (await run.post("/v1/accounts", account, key="account"))["id"]


async def list_instruments(run: Run) -> None:
    for symbol in (run.symbol, run.dead_symbol):
        await run.client.make("/v1/instruments", run.token, {"symbol": symbol, "name": symbol, "currency": "USD"})


async def start_strategy(run: Run) -> None:
    parameters = {"kind": "donchian", "entry": 1, "exit": 1, "allow_short": False}
    strategy = {"name": "breakouts", "symbol": run.symbol, "size": "10", "parameters": parameters}
    await run.post("/v1/strategies", strategy, key="strategy")


async def break_out(run: Run) -> None:
    await run.close_bars(run.symbol, QUIET, BREAKOUT)


async def fill_the_strategy(run: Run) -> None:
    await run.close_bars(run.symbol, FIRST_FILL)


async def place_an_order_to_fill(run: Run) -> None:
    await run.order("to-fill", side="BUY", order_type="MARKET", quantity="5", time_in_force="GTC")


async def place_an_order_to_cancel(run: Run) -> None:
    await run.order("to-cancel", side="BUY", order_type="LIMIT", quantity="5", limit_price="1", time_in_force="GTC")


async def place_an_order_to_deny(run: Run) -> None:
    await run.order("to-deny", side="BUY", order_type="MARKET", quantity="1000000", time_in_force="GTC")


async def place_an_order_to_expire(run: Run) -> None:
    await run.order("to-expire", side="BUY", order_type="LIMIT", quantity="5", limit_price="1", time_in_force="DAY")


async def cancel(run: Run) -> None:
    await run.post(f"/v1/orders/{run.order_ids['to-cancel']}/cancel", None, key="cancel")


async def fill_by_hand(run: Run) -> None:
    await run.close_bars(run.symbol, SECOND_FILL)


async def break_down(run: Run) -> None:
    await run.close_bars(run.symbol, BREAKDOWN)


async def fill_the_end(run: Run) -> None:
    await run.close_bars(run.symbol, LAST_FILL)


async def poison(run: Run) -> None:
    """Records come that nobody can read."""
    for topic, key in run.poison.items():
        await run.stage.producer.send_and_wait(run.stage.settings.kafka_prefix + topic, b"{", key)


async def wait_behind_the_poison(run: Run) -> None:
    """A good record comes with the key of one that nobody could read."""
    if BarClosed.topic in run.poison:
        await run.close_bars(run.dead_symbol, QUIET)


async def see_to_the_poison(run: Run) -> None:
    """An operator gives up what can't be read; what waits behind it has its effect."""
    for context in run.stage.contexts:
        db = run.stage.databases[context.name]
        for letter in await open_letters(db) if context.topics() & run.poison.keys() else ():
            if letter.key in run.poison.values() and letter.state == "dead":
                outcome = await discard(db, context.handlers(run.stage.where.of(context)), letter.id)
                assert (outcome.remaining, outcome.error) == (0, None), f"{context.name}: {outcome}"


async def look(run: Run) -> None:
    """Ask the service under test for all that it shows."""
    for route in load(run.stage.service).router.routes:
        if isinstance(route, APIRoute) and "GET" in (route.methods or ()) and not _NOT_TO_ASK.search(route.path):
            query = f"?symbol={run.symbol}" if route.path == "/v1/bars" else ""
            await run.client.get(route.path + query, run.token)


async def read_notifications(run: Run) -> None:
    await run.client.post("/v1/notifications/read-all", run.token)


LIFE: Sequence[Act] = (
    register, log_in, say_who_one_is, share_the_workspace, forget_the_password, open_account, list_instruments,
    start_strategy, break_out, fill_the_strategy,
    place_an_order_to_fill, place_an_order_to_cancel, place_an_order_to_deny, place_an_order_to_expire, cancel,
    fill_by_hand, break_down, fill_the_end, poison, wait_behind_the_poison, see_to_the_poison, look,
    read_notifications,
)  # fmt: skip
