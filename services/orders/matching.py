"""When and at which price does the paper venue trade an order? Pure, and by the bars' own time alone.

An order of time T meets the bars that open at T or later, in the order of their opens, whichever of order and bar was
heard of first, and trades in none in which nothing was traded. It trades in full or not at all, as far as the account
can pay (`services.orders.book`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal, localcontext
from operator import attrgetter
from zoneinfo import ZoneInfo

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
    volume: Decimal | None = None
    """What was traded; None where the market reports none."""
    backfilled: bool = False
    """Imported history, which no order meets."""

    @property
    def prices(self) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """Open, high, low and close."""
        return self.open, self.high, self.low, self.close

    @property
    def has_trades(self) -> bool:
        """Whether somebody traded in it: where nobody did, nobody does here."""
        return self.volume is None or self.volume > 0

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
    day_zone: ZoneInfo
    """Whose midnight ends the day of a day order."""

    @property
    def bars_needed(self) -> int | None:
        """How many bars with trades settle it; None when only the bars themselves can tell."""
        lasts = self.time_in_force is TimeInForce.GTC
        return 1 if lasts and self.order_type is OrderType.MARKET else None

    def price_in(self, bar: Bar) -> Decimal | None:
        """What it trades at in a bar that it meets, or None when nothing was traded there or not at its limit."""
        if not bar.has_trades:
            return None
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


def match(instruction: Instruction, bars: Sequence[Bar], first_met: datetime | None = None) -> Outcome | None:
    """What the bars do to an order, or None when it goes on working.

    `first_met` is the open of the first bar that the order met, if that was before `bars`. A day order lives until the
    end of that bar's date at the exchange.
    """
    for bar in sorted(bars, key=attrgetter("open_time")):
        if bar.open_time < instruction.submitted_at:
            continue
        first_met = first_met or bar.open_time
        end = _end_of_day(instruction, first_met, bar.timeframe)
        if end is not None and bar.open_time >= end:
            return Expiry(end, bar)
        price = instruction.price_in(bar)
        if price is not None:
            return Trade(price, bar)
        if end is not None and bar.close_time >= end:
            return Expiry(end, bar)
    return None


def _end_of_day(instruction: Instruction, first_met: datetime, timeframe: Timeframe) -> datetime | None:
    """When a day order is over, None for any other: at the exchange's midnight, never within the bar that began the day.

    A daily bar is a whole day by itself, also where it opens at midnight UTC and the exchange's date is another one.
    """
    if instruction.time_in_force is not TimeInForce.DAY:
        return None
    tomorrow = first_met.astimezone(instruction.day_zone).date() + timedelta(days=1)
    # Midnight of the zone, so that days of 23 and 25 hours end where they do.
    midnight = datetime.combine(tomorrow, time.min, instruction.day_zone).astimezone(UTC)
    return max(midnight, first_met + timeframe.duration)
