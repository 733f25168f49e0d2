"""Runs strategies bar by bar: a signal at a close fills at the instrument's first open at or after it.

Time is the bars' own. A bar covers [open_time, close_time), so a signal at a close precedes a fill at an open of the
same moment; a bar that opens before the close of the one before (the day of 23 hours among daily bars of 24) fills
nothing of what was decided at that close. All bars that close at one moment are taken together: first their pending
orders fill at their opens, sales before purchases, then they mark the positions, then the rules decide, and then the
account is worth one point of the equity curve.

The account is a cash account, as at the paper venue: see `services.signals.backtest.cash`. Slippage is not modelled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Context, Decimal, localcontext
from itertools import pairwise

from libs.schema.values import Currency, Side, Symbol
from services.signals.backtest.cash import Fees, Need, most, set_aside, to_unit
from services.signals.backtest.figures import Figure, Money
from services.signals.backtest.holding import Holding
from services.signals.rules import Bar, Parameters, RuleState, start, step

ARITHMETIC = Context(prec=60)
"""Wide enough that no product of a price and a quantity is ever rounded."""
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Leg:
    """One strategy on one instrument."""

    symbol: Symbol
    parameters: Parameters
    size: Decimal


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """What a signal asked for and no bar has filled yet."""

    symbol: Symbol
    side: Side
    quantity: Figure
    time: datetime
    """The close at which it was decided."""


@dataclass(frozen=True, slots=True)
class RefusedOrder:
    """What a signal asked for and the account could not pay, in part or in full."""

    symbol: Symbol
    side: Side
    quantity: Figure
    time: datetime
    """The close at which it was decided."""
    reason: str
    """A slug: `insufficient-buying-power` when it was decided, `insufficient-cash` when the market opened."""


@dataclass(frozen=True, slots=True)
class Trade:
    """A fill."""

    symbol: Symbol
    side: Side
    quantity: Figure
    price: Money
    fee: Money
    time: datetime
    """The open of the bar that filled it."""
    realised_pnl: Money | None
    """What it closed brought, before fees; None when it closed nothing."""


@dataclass(frozen=True, slots=True)
class EquityPoint:
    """What the account was worth at a close."""

    time: datetime
    equity: Decimal


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """All that happened, and where it ended."""

    initial_cash: Decimal
    trades: tuple[Trade, ...]
    equity_curve: tuple[EquityPoint, ...]
    open_orders: tuple[OpenOrder, ...]
    realised_pnl: Decimal
    unrealised_pnl: Decimal
    fees: Decimal
    refused_orders: tuple[RefusedOrder, ...] = ()

    @property
    def equity(self) -> Decimal:
        """The initial cash + realised + unrealised - fees, at the last close."""
        return self.initial_cash + self.realised_pnl + self.unrealised_pnl - self.fees


@dataclass(slots=True, eq=False)
class _Runner:
    leg: Leg
    state: RuleState
    holds: Decimal = _ZERO
    """What it has traded or has pending, short negative."""

    def decide(self, bar: Bar) -> _Pending | None:
        """The order for what it wants to hold and does not."""
        self.state, decision = step(self.leg.parameters, self.state, bar)
        missing = decision.target_position(self.leg.size) - self.holds if decision else _ZERO
        return _Pending(self, missing, bar.close, bar.close_time) if missing else None


@dataclass(frozen=True, slots=True, eq=False)
class _Pending:
    """An order that waits for its first open."""

    runner: _Runner
    quantity: Decimal
    """A purchase is positive, a sale negative."""
    close: Decimal
    """That it was decided on, which it is reckoned at until then."""
    time: datetime

    @property
    def symbol(self) -> Symbol:
        return self.runner.leg.symbol

    @property
    def side(self) -> Side:
        return Side.BUY if self.quantity > 0 else Side.SELL

    def open_order(self) -> OpenOrder:
        return OpenOrder(self.symbol, self.side, abs(self.quantity), self.time)

    def refused(self, quantity: Decimal, reason: str) -> RefusedOrder:
        return RefusedOrder(self.symbol, self.side, quantity, self.time, reason)


@dataclass(slots=True)
class _Account:
    initial_cash: Decimal
    fees: Fees
    cash: Decimal = field(init=False)
    holdings: defaultdict[Symbol, Holding] = field(default_factory=lambda: defaultdict(Holding))
    pending: defaultdict[Symbol, list[_Pending]] = field(default_factory=lambda: defaultdict(list))
    marks: dict[Symbol, Decimal] = field(default_factory=dict)
    """The last closes."""
    prices: dict[Symbol, Decimal] = field(default_factory=dict)
    """Of the last fills."""
    trades: list[Trade] = field(default_factory=list)
    refused: list[RefusedOrder] = field(default_factory=list)
    realised: Decimal = _ZERO
    paid: Decimal = _ZERO
    """In fees."""

    def __post_init__(self) -> None:
        self.cash = self.initial_cash

    def place(self, order: _Pending) -> None:
        """Let an order wait, or refuse it because it could lead to more exposure than the account is worth."""
        before = self._set_aside()
        self.pending[order.symbol].append(order)
        needed = self._set_aside() - before
        if needed > 0 and needed > self._unexposed() - before:
            self.pending[order.symbol].remove(order)
            self.refused.append(order.refused(abs(order.quantity), "insufficient-buying-power"))
            return
        order.runner.holds += order.quantity

    def fill(self, order: _Pending, bar: Bar) -> None:
        """Trade what the cash pays for, and refuse the rest."""
        price, sign = bar.open, order.side.sign
        quantity = self._payable(order, price)
        self.pending[order.symbol].remove(order)
        if rest := abs(order.quantity) - quantity:
            order.runner.holds -= sign * rest
            self.refused.append(order.refused(rest, "insufficient-cash"))
        if not quantity:
            return
        fee = self.fees.on(quantity * price)
        realised = self.holdings[order.symbol].trade(sign * quantity, price)
        self.cash -= sign * to_unit(quantity * price) + fee
        self.prices[order.symbol] = price
        self.realised += realised or _ZERO
        self.paid += fee
        self.trades.append(Trade(order.symbol, order.side, quantity, price, fee, bar.open_time, realised))

    def unrealised(self) -> Decimal:
        return sum((held.unrealised(self.marks[symbol]) for symbol, held in self.holdings.items()), _ZERO)

    def equity(self) -> Decimal:
        return self.initial_cash + self.realised + self.unrealised() - self.paid

    def _payable(self, order: _Pending, price: Decimal) -> Decimal:
        quantity, held = abs(order.quantity), self.holdings[order.symbol].quantity
        if order.side is Side.SELL:
            return quantity if self.cash + to_unit(quantity * price) >= self.fees.on(quantity * price) else _ZERO
        own = self._set_aside() - self._set_aside(without=order)
        free = self._free_after(order, price)
        covers = most(min(quantity, max(-held, _ZERO)), price, self.cash, self.fees)
        return max(covers, most(quantity, price, min(self.cash, max(own, free)), self.fees))

    def _free_after(self, order: _Pending, price: Decimal) -> Decimal:
        """The cash less what shorts and other orders need when this order has traded in full."""
        held = {symbol: one.quantity for symbol, one in self.holdings.items()}
        held[order.symbol] += order.quantity
        shorts = sum(
            (to_unit(-quantity * (self.prices | {order.symbol: price})[symbol])
             for symbol, quantity in held.items() if quantity < 0),
            _ZERO,
        )  # fmt: skip
        return self.cash - 2 * shorts - set_aside(self._needs(held, without=order), self.fees)

    def _unexposed(self) -> Decimal:
        """What the account is worth, less what its positions are: each long counts once and off again, a short twice."""
        shorts = ((-held.quantity, symbol) for symbol, held in self.holdings.items() if held.quantity < 0)
        return self.cash - 2 * sum((to_unit(short * self.marks[symbol]) for short, symbol in shorts), _ZERO)

    def _set_aside(self, without: _Pending | None = None) -> Decimal:
        held = {symbol: one.quantity for symbol, one in self.holdings.items()}
        return set_aside(self._needs(held, without), self.fees)

    def _needs(self, held: Mapping[Symbol, Decimal], without: _Pending | None) -> Iterator[Need]:
        for symbol, orders in self.pending.items():
            pending = tuple((one.quantity, one.close) for one in orders if one is not without)
            yield Need(held.get(symbol, _ZERO), pending)


def run(
    legs: Sequence[Leg],
    bars: Mapping[Symbol, Sequence[Bar]],
    initial_cash: Decimal,
    commission_rate: Decimal,
    currency: Currency = "USD",
    without_volume: Collection[Symbol] = (),
) -> BacktestResult:
    """Trade all legs on one account, from the first bar with no history to the last.

    `without_volume` are instruments whose market reports none; of others, bars without volume trade nothing. Raises
    ValueError when there is no cash, or when an instrument has no bars or not in the order of their time.
    """
    if initial_cash <= 0:
        msg = "a backtest starts with cash"
        raise ValueError(msg)
    account = _Account(initial_cash, Fees(commission_rate, currency))
    runners: defaultdict[Symbol, list[_Runner]] = defaultdict(list)
    for leg in legs:
        runners[leg.symbol].append(_Runner(leg, start(leg.parameters)))
    curve: list[EquityPoint] = []
    with localcontext(ARITHMETIC):
        for close_time, closing in _by_close({symbol: bars.get(symbol, ()) for symbol in sorted(runners)}):
            for order, bar in _meeting(account.pending, closing, without_volume):
                account.fill(order, bar)
            account.marks |= {bar.symbol: bar.close for bar in closing}
            for wanted in [runner.decide(bar) for bar in closing for runner in runners[bar.symbol]]:
                if wanted is not None:
                    account.place(wanted)
            curve.append(EquityPoint(close_time, account.equity()))
        return BacktestResult(
            initial_cash=initial_cash,
            trades=tuple(account.trades),
            equity_curve=tuple(curve),
            open_orders=tuple(order.open_order() for orders in account.pending.values() for order in orders),
            realised_pnl=account.realised,
            unrealised_pnl=account.unrealised(),
            fees=account.paid,
            refused_orders=tuple(account.refused),
        )


def _meeting(
    pending: Mapping[Symbol, Sequence[_Pending]], closing: Sequence[Bar], without_volume: Collection[Symbol]
) -> list[tuple[_Pending, Bar]]:
    """The orders that bars fill: decided by their open, and something was traded. Of one open, sales come first."""
    met = [
        (order, bar)
        for bar in closing
        if bar.volume or bar.symbol in without_volume
        for order in pending.get(bar.symbol, ())
        if order.time <= bar.open_time
    ]
    return sorted(met, key=lambda one: (one[1].open_time, one[0].side.sign, one[0].time))


def _by_close(bars: Mapping[Symbol, Sequence[Bar]]) -> Iterator[tuple[datetime, list[Bar]]]:
    """The bars of all instruments, together where they close together, in the order of time."""
    moments: defaultdict[datetime, list[Bar]] = defaultdict(list)
    for symbol, series in bars.items():
        if not series:
            msg = f"there are no bars of {symbol}"
            raise ValueError(msg)
        if any(later.open_time <= earlier.open_time for earlier, later in pairwise(series)):
            msg = f"the bars of {symbol} are not in the order of their time"
            raise ValueError(msg)
        for bar in series:
            moments[bar.close_time].append(bar)
    yield from sorted(moments.items())
