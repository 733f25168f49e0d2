"""What happens, bar by bar? Signals at a close fill in full at the open of the instrument's next bar.

Time is the bars' own. A bar covers [open_time, close_time), so a signal at a close precedes a fill at an open of the
same moment. All bars that close at one moment are taken together: first their pending orders fill at their opens, then
they mark the positions, then the rules decide, and then the account is worth one point of the equity curve.

A fill is never refused: buying power, volume and slippage are not modelled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Context, Decimal, localcontext
from itertools import pairwise

from libs.schema.currencies import round_money
from libs.schema.values import Currency, Side, Symbol
from services.signals.backtest.figures import Figure, Money
from services.signals.backtest.holding import Holding
from services.signals.rules import SIDES, Bar, Decision, Parameters, RuleState, start, step

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

    @property
    def equity(self) -> Decimal:
        """The initial cash + realised + unrealised - fees, at the last close."""
        return self.initial_cash + self.realised_pnl + self.unrealised_pnl - self.fees


@dataclass(slots=True)
class _Account:
    initial_cash: Decimal
    commission_rate: Decimal
    currency: Currency
    holdings: defaultdict[Symbol, Holding] = field(default_factory=lambda: defaultdict(Holding))
    marks: dict[Symbol, Decimal] = field(default_factory=dict)
    realised: Decimal = _ZERO
    fees: Decimal = _ZERO

    def fill(self, order: OpenOrder, bar: Bar) -> Trade:
        fee = round_money(order.quantity * bar.open * self.commission_rate, self.currency)
        realised = self.holdings[order.symbol].trade(order.side.sign * order.quantity, bar.open)
        self.fees += fee
        self.realised += realised or _ZERO
        return Trade(order.symbol, order.side, order.quantity, bar.open, fee, bar.open_time, realised)

    def unrealised(self) -> Decimal:
        return sum((held.unrealised(self.marks[symbol]) for symbol, held in self.holdings.items()), _ZERO)

    def equity(self) -> Decimal:
        return self.initial_cash + self.realised + self.unrealised() - self.fees


@dataclass(slots=True)
class _Runner:
    leg: Leg
    state: RuleState

    def decide(self, bar: Bar) -> OpenOrder | None:
        self.state, decision = step(self.leg.parameters, self.state, bar)
        return _order(self.leg, decision) if decision else None


def run(
    legs: Sequence[Leg],
    bars: Mapping[Symbol, Sequence[Bar]],
    initial_cash: Decimal,
    commission_rate: Decimal,
    currency: Currency = "USD",
) -> BacktestResult:
    """Trade all legs on one account, from the first bar with no history to the last.

    Raises ValueError when there is no cash, or when an instrument has no bars or not in the order of their time.
    """
    if initial_cash <= 0:
        msg = "a backtest starts with cash"
        raise ValueError(msg)
    account = _Account(initial_cash, commission_rate, currency)
    runners: defaultdict[Symbol, list[_Runner]] = defaultdict(list)
    for leg in legs:
        runners[leg.symbol].append(_Runner(leg, start(leg.parameters)))
    pending: dict[Symbol, list[OpenOrder]] = {symbol: [] for symbol in runners}
    trades: list[Trade] = []
    curve: list[EquityPoint] = []
    with localcontext(ARITHMETIC):
        for close_time, closing in _by_close({symbol: bars.get(symbol, ()) for symbol in sorted(runners)}):
            for bar in closing:
                trades += [account.fill(order, bar) for order in pending[bar.symbol]]
                account.marks[bar.symbol] = bar.close
                pending[bar.symbol] = [order for runner in runners[bar.symbol] if (order := runner.decide(bar))]
            curve.append(EquityPoint(close_time, account.equity()))
        return BacktestResult(
            initial_cash=initial_cash,
            trades=tuple(trades),
            equity_curve=tuple(curve),
            open_orders=tuple(order for orders in pending.values() for order in orders),
            realised_pnl=account.realised,
            unrealised_pnl=account.unrealised(),
            fees=account.fees,
        )


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


def _order(leg: Leg, decision: Decision) -> OpenOrder:
    side = SIDES[decision.signal_type]
    return OpenOrder(leg.symbol, side, decision.quantity(leg.size), decision.decided_at)
