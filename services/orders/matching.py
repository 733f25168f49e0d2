"""When and at which price does the paper venue trade an order? Pure, and by the bars' own time alone.

An order of time T meets the bars that open at T or later, in the order of their opens, whichever of order and bar was
heard of first. It trades in full or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, localcontext
from operator import attrgetter

from libs.schema.currencies import round_money
from libs.schema.values import Currency, OrderType, Side, Symbol, Timeframe, TimeInForce
from services.orders.money import EXACT


@dataclass(frozen=True, slots=True)
class Bar:
    """What an instrument traded at over [open_time, close_time)."""

    symbol: Symbol
    timeframe: Timeframe
    open_time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal

    @property
    def close_time(self) -> datetime:
        """The first moment that the bar does not cover."""
        return self.open_time + self.timeframe.duration

    @property
    def execution_id(self) -> str:
        """What the venue calls a trade in this bar; an order has one of this name at most."""
        return f"{self.symbol}.{self.timeframe}.{self.open_time:%Y%m%dT%H%M%SZ}"


@dataclass(frozen=True, slots=True)
class Instruction:
    """The part of an order that decides when it trades."""

    side: Side
    order_type: OrderType
    limit_price: Decimal | None
    """None for a market order."""
    time_in_force: TimeInForce
    submitted_at: datetime

    @property
    def bars_needed(self) -> int | None:
        """How many bars settle it; None when only the bars themselves can tell."""
        return 1 if self.order_type is OrderType.MARKET else None

    def price_in(self, bar: Bar) -> Decimal | None:
        """What it trades at in a bar that it meets, or None when the bar does not reach its limit."""
        if self.limit_price is None:
            return bar.open
        if self.side is Side.BUY:
            return min(bar.open, self.limit_price) if bar.low <= self.limit_price else None
        return max(bar.open, self.limit_price) if bar.high >= self.limit_price else None


@dataclass(frozen=True, slots=True)
class Trade:
    """The order trades in full."""

    price: Decimal
    bar: Bar

    @property
    def at(self) -> datetime:
        """When: the bar's open. A bar does not say at which moment it reached a limit, so its open stands for it."""
        return self.bar.open_time


@dataclass(frozen=True, slots=True)
class Expiry:
    """The order's session is over, and it has not traded."""

    at: datetime
    """The end of the session."""
    bar: Bar
    """The bar that shows it."""


Outcome = Trade | Expiry


@dataclass(frozen=True, slots=True)
class PaperVenue:
    """The simulated broker."""

    timeframe: Timeframe
    """Of the bars that it matches against."""
    commission_rate: Decimal

    def commission(self, amount: Decimal, currency: Currency) -> Decimal:
        """What trading a notional `amount` costs, rounded half-even to the currency's minor unit."""
        with localcontext(EXACT):
            return round_money(amount * self.commission_rate, currency)


def match(instruction: Instruction, bars: Sequence[Bar], session: date | None = None) -> Outcome | None:
    """What the bars do to an order, or None when it goes on working.

    `session` is the date of the first bar that the order met, if that was before `bars`. A day order lives until the
    end of that date in UTC.
    """
    for bar in sorted(bars, key=attrgetter("open_time")):
        if bar.open_time < instruction.submitted_at:
            continue
        session = session or bar.open_time.date()
        end = _end_of(session) if instruction.time_in_force is TimeInForce.DAY else None
        if end is not None and bar.open_time >= end:
            return Expiry(end, bar)
        price = instruction.price_in(bar)
        if price is not None:
            return Trade(price, bar)
        if end is not None and bar.close_time >= end:
            return Expiry(end, bar)
    return None


def _end_of(session: date) -> datetime:
    return datetime.combine(session, time.min, UTC) + timedelta(days=1)
