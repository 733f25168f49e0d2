"""Who works on the site while it is harmed? Twenty workspaces that trade, feeds that tell bars, people who register."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import httpx2

from libs.kit.ids import uuid7
from tests.chaos.accepted import Accepted, AcceptedBar, AcceptedOrder, Differences, compare
from tests.chaos.client import Client, GaveUp, Refused
from tests.chaos.site import Site

WORKSPACES = 20
SYMBOLS = ("AAPL", "IBM")
_PASSWORD = "correct horse battery staple"
_ORDERS_PER_SECOND = 8.0
_BAR_SECONDS = 1.0
_MARK_SECONDS = 2.0
_NEWCOMER_SECONDS = 3.0
_MINUTE = timedelta(minutes=1)
_MARK = timedelta(minutes=5)
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Trader:
    """A workspace with an account."""

    token: str = field(repr=False)
    account_id: UUID


@dataclass(eq=False)
class Crowd:
    """All who send requests, and what they were answered."""

    client: Client
    feed_token: str = field(repr=False)
    traders: list[Trader] = field(default_factory=list)
    accepted: Accepted = field(default_factory=Accepted)
    chance: Random = field(default_factory=Random)
    _last_open: dict[tuple[str, ...], datetime] = field(default_factory=dict)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Everybody works while the body runs; at its end, requests that are under way are seen through."""
        stopped = asyncio.Event()
        work = [
            *(self._every(WORKSPACES / _ORDERS_PER_SECOND, stopped, self._trade, one) for one in self.traders),
            self._every(_BAR_SECONDS, stopped, self.tell_bars),
            self._every(_MARK_SECONDS, stopped, self.tell_marks),
            self._every(_NEWCOMER_SECONDS, stopped, self._register_somebody),
        ]
        tasks = [asyncio.create_task(one) for one in work]
        try:
            yield
        finally:
            stopped.set()
            await asyncio.gather(*tasks)

    async def settle(self) -> None:
        """Tell one more bar of each instrument, which all market orders meet."""
        latest = max((order.submitted_at for order in self.accepted.orders), default=datetime.now(UTC))
        await self.tell_bars(after=latest)

    async def differences(self, site: Site) -> Differences:
        """What is lost or double; nothing may be in flight."""
        async with site.administrator() as connection:
            return await compare(connection, self.accepted)

    async def place(self, trader: Trader, body: dict[str, str], key: str) -> AcceptedOrder | None:
        """Place an order and remember the answer; None when there was none."""
        # Until there is an answer, one may be there; also when nobody waits for the answer any more.
        self.accepted.unknown[trader.account_id] += 1
        try:
            answer = await self.client.post(
                "/v1/orders", body | {"account_id": str(trader.account_id)}, trader.token, key
            )
        except GaveUp:
            return None
        except Refused as refusal:
            self.accepted.unknown[trader.account_id] -= 1
            self.accepted.refused.append(f"an order of account {trader.account_id}: {refusal}")
            return None
        said = answer.document
        order = AcceptedOrder(
            UUID(said["id"]), trader.account_id, said["client_order_id"], said["order_type"],
            datetime.fromisoformat(said["submitted_at"]), answer.correlation_id,
        )  # fmt: skip
        self.accepted.unknown[trader.account_id] -= 1
        self.accepted.orders.append(order)
        return order

    async def tell_bars(self, symbols: tuple[str, ...] = SYMBOLS, after: datetime | None = None) -> UUID | None:
        """A minute's bar of each instrument that opens now, or later than `after`; gives the correlation id."""
        last = self._last_open.get(symbols, _LONG_AGO)
        moment = max(last, after or last, datetime.now(UTC)).replace(microsecond=0) + timedelta(seconds=1)
        self._last_open[symbols] = moment
        return await self._tell(symbols, "1m", moment)

    async def tell_marks(self) -> None:
        """A longer bar of each instrument that closes now; accounts are valued at it."""
        await self._tell(SYMBOLS, "5m", datetime.now(UTC).replace(microsecond=0) - _MARK)

    async def tell_history(self, symbols: tuple[str, ...]) -> None:
        """A bar that closed before, so that there is a price to begin with."""
        await self._tell(symbols, "1m", datetime.now(UTC).replace(microsecond=0) - 5 * _MINUTE)

    async def _tell(self, symbols: tuple[str, ...], timeframe: str, moment: datetime) -> UUID | None:
        bars = [self._bar(symbol, timeframe, moment) for symbol in symbols]
        try:
            answer = await self.client.post("/v1/bars", {"bars": bars}, self.feed_token, str(uuid7()))
        except GaveUp:
            return None
        except Refused as refusal:
            self.accepted.refused.append(f"bars of {moment}: {refusal}")
            return None
        self.accepted.bars += [AcceptedBar(symbol, timeframe, moment) for symbol in symbols]
        return answer.correlation_id

    def _bar(self, symbol: str, timeframe: str, moment: datetime) -> dict[str, str]:
        open_, close = (100 + self.chance.randrange(-100, 101) / 100 for _ in range(2))
        prices = {"open": open_, "high": max(open_, close) + 0.5, "low": min(open_, close) - 0.5, "close": close}
        texts = {name: f"{price:.2f}" for name, price in prices.items()}
        return {"symbol": symbol, "timeframe": timeframe, "open_time": moment.isoformat(), "volume": "1000"} | texts

    async def _every(
        self, seconds: float, stopped: asyncio.Event, work: Callable[..., Awaitable[object]], *arguments: object
    ) -> None:
        """Do something again and again, so many seconds apart on average."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), self.chance.uniform(0.5, 1.5) * seconds)
            if stopped.is_set():
                return
            await work(*arguments)

    async def _trade(self, trader: Trader) -> None:
        """A market or a limit order, half of them with an id of the client's; some are withdrawn again."""
        key, chance = str(uuid7()), self.chance
        body = {
            "symbol": chance.choice(SYMBOLS), "side": chance.choice(("BUY", "SELL")),
            "quantity": str(chance.randint(1, 5)), "order_type": "MARKET",
        }  # fmt: skip
        if chance.random() < 0.5:
            body["client_order_id"] = key
        limited = chance.random() < 0.25
        if limited:
            body |= {"order_type": "LIMIT", "limit_price": f"{chance.randint(98, 102)}.00", "time_in_force": "GTC"}
        order = await self.place(trader, body, key)
        if order is not None and limited and chance.random() < 0.5:
            await self._withdraw(trader, order)

    async def _withdraw(self, trader: Trader, order: AcceptedOrder) -> None:
        # That it has traded by now is no fault; nor that nobody answered, since the order has a final state anyway.
        with suppress(GaveUp, Refused):
            await self.client.post(f"/v1/orders/{order.id}/cancel", None, trader.token, str(uuid7()))

    async def _register_somebody(self) -> None:
        email = f"{uuid7()}@example.com"
        try:
            answer = await self.client.post("/v1/auth/register", {"email": email, "password": _PASSWORD})
        except GaveUp:
            return
        except Refused as refusal:
            # Without a key, the repetition of one that was done finds the address taken.
            if refusal.status != httpx2.codes.CONFLICT:
                self.accepted.refused.append(f"registration: {refusal}")
                return
        else:
            assert answer.document
        self.accepted.people.append(email)
