"""The venue that hears bars one close after the other, and the backtest's loop, fill alike on every calendar.

The venue's side is put together from the parts that the services run: rules, books, desk and matching, without the bus
and the database between them. Calendars are random: holidays, days of 23 and 25 hours at local midnights, bars that
overlap or leave gaps, bars in which nothing was traded, and prices that jump beyond what the account can pay.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.schema.event import Cause
from libs.schema.values import Timeframe
from services.orders.book import Book, Marks
from services.orders.commands.desk import Desk, since
from services.orders.commands.signals import Wish
from services.orders.matching import Bar as VenueBar
from services.orders.matching import PaperVenue, match
from services.orders.model import Order
from services.orders.repository.markets import Listing
from services.signals.backtest import BacktestResult, Leg, run
from services.signals.rules import Bar, RuleState, start, step
from tests.orders.builders import an_account
from tests.signals.builders import rule

RATE = Decimal("0.001")
RULES = (
    rule("donchian", entry=1, exit=1),
    rule("sma_cross", fast=1, slow=2),
    rule("rsi_reversion", period=2, buy_below="45", sell_above="55"),
)
Execution = tuple[datetime, str, str, Decimal, Decimal, Decimal]


@dataclass
class Streamed:
    """What the services do with bars that close."""

    book: Book
    legs: Sequence[Leg]
    states: list[RuleState] = field(init=False)
    held: list[Decimal] = field(init=False)
    working: dict[int, Order] = field(default_factory=dict)
    """The open orders, by when they were placed."""
    owners: list[int] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    seen: defaultdict[str, list[VenueBar]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.states = [start(leg.parameters) for leg in self.legs]

    def close(self, bars: Sequence[Bar]) -> None:
        """Bars close at one moment: they fill what works, and what the rules decide is placed."""
        heard = {bar.symbol: _of_the_venue(bar) for bar in bars}
        reports = [
            (outcome.at, order.sign, order.submitted_at, number)
            for number, order in self.working.items()
            if order.symbol in heard and (outcome := match(order.instruction, [heard[order.symbol]]))
        ]
        for *_, number in sorted(reports):
            order = self.working.pop(number)
            outcome = match(order.instruction, [heard[order.symbol]])
            assert outcome is not None
            self.book.settle(order, outcome)
        for symbol, bar in heard.items():
            self.seen[symbol].append(bar)
        for bar in bars:
            for number, leg in enumerate(self.legs):
                if leg.symbol == bar.symbol:
                    self._decide(number, bar)

    def _decide(self, number: int, bar: Bar) -> None:
        leg = self.legs[number]
        self.states[number], decision = step(leg.parameters, self.states[number], bar)
        missing = decision.target_position(leg.size) - self._held(number) if decision else Decimal(0)
        if not missing:
            return
        account = self.book.account
        wish = Wish(uuid4(), account.tenant_id, uuid4(), leg.symbol, missing, bar.close, bar.close_time, Cause(uuid4()))
        order = wish.order_of(account.id, missing, bar.close_time)
        listings = {symbol: Listing(symbol, "USD", "EQUITY") for symbol in self.seen}
        Desk(listings, {account.id: self.book}, self._marks(bar.close_time), {since(order): ()}).place(order)
        if order.closed_at is None:
            self.working[len(self.orders)] = order
        self.orders.append(order)
        self.owners.append(number)

    def _held(self, number: int) -> Decimal:
        mine = [order for order, owner in zip(self.orders, self.owners, strict=True) if owner == number]
        return sum((o.sign * (o.cumulative_quantity + o.leaves_quantity) for o in mine), Decimal(0))

    def _marks(self, moment: datetime) -> Marks:
        known = {symbol: [bar for bar in seen if bar.close_time <= moment] for symbol, seen in self.seen.items()}
        return Marks({(symbol, moment): bars[-1].close for symbol, bars in known.items() if bars})

    @property
    def fills(self) -> list[Execution]:
        return [(f.executed_at, f.symbol, f.side, f.last_quantity, f.last_price, f.commission) for f in self.book.fills]


def _of_the_venue(bar: Bar) -> VenueBar:
    return VenueBar(bar.symbol, bar.timeframe, bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume)


def stream(legs: Sequence[Leg], bars: Mapping[str, Sequence[Bar]], cash: Decimal) -> Streamed:
    """All bars, one close after the other."""
    streamed = Streamed(Book(an_account(cash), PaperVenue(Timeframe.D1, RATE)), legs)
    closes: defaultdict[datetime, list[Bar]] = defaultdict(list)
    for symbol in sorted(bars):
        for bar in bars[symbol]:
            closes[bar.close_time].append(bar)
    for moment in sorted(closes):
        streamed.close(closes[moment])
        assert streamed.book.account.cash >= 0
    return streamed


def a_calendar(chance: Random, days: int) -> list[datetime]:
    """When bars open."""
    kind = chance.choice(["zone", "irregular", "utc"])
    if kind == "irregular":
        moment, opens = datetime(2027, 3, 1, tzinfo=UTC), []
        for _ in range(days):
            opens.append(moment)
            moment += timedelta(hours=chance.choice([1, 20, 23, 24, 24, 25, 30, 72]))
        return opens
    zone = ZoneInfo(
        "UTC" if kind == "utc" else chance.choice(["Europe/Berlin", "Australia/Sydney", "America/New_York"])
    )
    first = chance.choice([datetime(2027, 3, 10), datetime(2027, 10, 1), datetime(2027, 10, 25)])  # noqa: DTZ001 made aware
    local = [first + timedelta(days=n) for n in range(days) if chance.random() > 0.15]
    return [moment.replace(tzinfo=zone).astimezone(UTC) for moment in local]


def a_series(chance: Random, symbol: str, days: int) -> list[Bar]:
    """Bars on a calendar, some without trades, some far from the one before."""
    price, bars = Decimal(100), []
    for opened in a_calendar(chance, days):
        jump = chance.choice(["0.3", "0.9", "0.97", "1", "1.03", "1.1", "3"])
        open_ = max((price * Decimal(jump)).quantize(Decimal("0.01")), Decimal("0.01"))
        price = max(
            (open_ * Decimal(chance.choice(["0.9", "0.99", "1", "1.02", "1.1"]))).quantize(Decimal("0.01")),
            Decimal("0.01"),
        )
        volume = Decimal(0 if chance.random() < 0.2 else 1000)
        high, low = max(open_, price), min(open_, price)
        bars.append(Bar(symbol, Timeframe.D1, opened, open_, high, low, price, volume))
    return bars


def executions(result: BacktestResult) -> list[Execution]:
    return [(t.time, t.symbol, t.side, t.quantity, t.price, t.fee) for t in result.trades]


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32), st.sampled_from(["500", "3000", "100000"]), st.sampled_from(["7", "10", "2.5"]))
def test_the_stream_and_the_backtest_fill_alike_on_every_calendar(seed: int, cash: str, size: str) -> None:
    chance = Random(seed)
    bars = {symbol: a_series(chance, symbol, 30) for symbol in ("AAPL", "IBM")}
    legs = [Leg(chance.choice(["AAPL", "IBM"]), chosen, Decimal(size)) for chosen in chance.sample(RULES, 3)]
    bars = {symbol: series for symbol, series in bars.items() if any(leg.symbol == symbol for leg in legs)}

    streamed = stream(legs, bars, Decimal(cash))
    result = run(legs, bars, Decimal(cash), RATE)

    assert executions(result) == streamed.fills
    refused = [order for order in streamed.orders if order.reject_reason]
    assert sorted((r.time, r.symbol, r.side, r.reason) for r in result.refused_orders) == sorted(
        (o.submitted_at, o.symbol, o.side, o.reject_reason) for o in refused
    )
    assert len(result.open_orders) == len(streamed.working)


@pytest.mark.parametrize(("date", "hours"), [((2027, 3, 28), 23), ((2027, 10, 31), 25)])
def test_a_decision_on_the_long_or_short_day_fills_at_the_first_open_at_or_after_it(
    date: tuple[int, int, int], hours: int
) -> None:
    """Daily bars of 24 hours at midnight in Berlin: on the day of 23 hours the next one opens before this one closes."""
    changing = datetime(*date, tzinfo=ZoneInfo("Europe/Berlin"))
    opens = [(changing + timedelta(days=n)).astimezone(UTC) for n in (-1, 0, 1, 2)]
    assert opens[2] - opens[1] == timedelta(hours=hours)
    prices = (Decimal(price) for price in (10, 12, 13, 14))
    bars = [Bar("AAPL", Timeframe.D1, at, p, p, p, p, Decimal(1)) for at, p in zip(opens, prices, strict=True)]
    legs = [Leg("AAPL", RULES[0], Decimal(1))]

    (trade,) = run(legs, {"AAPL": bars}, Decimal(1000), RATE).trades
    assert trade.time == (opens[3] if hours == 23 else opens[2])
    assert stream(legs, {"AAPL": bars}, Decimal(1000)).fills[0][0] == trade.time
