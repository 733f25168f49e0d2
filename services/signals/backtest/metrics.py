"""How good was it? Returns and risk of an equity curve, and the statistics of what was closed.

Ratios of returns follow empyrical: 252 days a year, risk-free rate 0, sample deviation, drawdown as a negative
fraction. They are looked at once a day, at its last point, whatever the bars' length. A ratio that is not defined (no
deviation, no loss, too few points, equity used up, or beyond all sense) is None.

A closed trade is a fill that ended a position or a part of it; its result is before fees.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from itertools import groupby, pairwise
from statistics import fmean, stdev

from services.signals.backtest.figures import Figure, Money
from services.signals.backtest.loop import ARITHMETIC, BacktestResult, EquityPoint

TRADING_DAYS = 252
_RATIO = Decimal("0.000000000001")
_RATIO_LIMIT = 1e15
_INSTANT = timedelta(microseconds=1)
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Metrics:
    """What a backtest came to. Fractions and ratios have twelve decimals."""

    total_return: Figure
    """As a fraction of the initial cash."""
    total_return_percentage: Figure
    max_drawdown: Figure
    """The deepest fall from a peak as a negative fraction of that peak; 0 when equity never fell."""
    sharpe_ratio: Figure | None
    sortino_ratio: Figure | None
    calmar_ratio: Figure | None
    """The compound annual return over the maximum drawdown."""
    total_trades: int
    """How many trades were closed."""
    winning_trades: int
    losing_trades: int
    win_rate: Figure | None
    """The part of the closed trades that won, from 0 to 1."""
    profit_factor: Figure | None
    """All profits over all losses."""
    best_trade: Money | None
    worst_trade: Money | None
    avg_trade: Money | None
    max_consecutive_wins: int
    max_consecutive_losses: int


def measure(result: BacktestResult) -> Metrics:
    """The numbers of a finished backtest."""
    with localcontext(ARITHMETIC):
        return _measure(result)


def _measure(result: BacktestResult) -> Metrics:
    daily = daily_equity(result.equity_curve)
    returns = simple_returns(daily)
    drawdown = max_drawdown(daily)
    total = result.equity / result.initial_cash - 1
    closed = [trade.realised_pnl for trade in result.trades if trade.realised_pnl is not None]
    wins, losses = [pnl for pnl in closed if pnl > 0], [pnl for pnl in closed if pnl < 0]
    return Metrics(
        total_return=_rounded(total),
        total_return_percentage=_rounded(total * 100),
        max_drawdown=_rounded(drawdown),
        sharpe_ratio=sharpe_ratio(returns),
        sortino_ratio=sortino_ratio(returns),
        calmar_ratio=_calmar_ratio(daily, drawdown),
        total_trades=len(closed),
        winning_trades=len(wins),
        losing_trades=len(losses),
        win_rate=_quotient(Decimal(len(wins)), Decimal(len(closed))),
        profit_factor=_quotient(sum(wins, _ZERO), -sum(losses, _ZERO)),
        best_trade=max(closed, default=None),
        worst_trade=min(closed, default=None),
        avg_trade=_quotient(sum(closed, _ZERO), Decimal(len(closed))),
        max_consecutive_wins=_longest_run([pnl > 0 for pnl in closed]),
        max_consecutive_losses=_longest_run([pnl < 0 for pnl in closed]),
    )


def daily_equity(curve: Sequence[EquityPoint]) -> list[Decimal]:
    """The last equity of each UTC day; a close at midnight belongs to the day that it ends."""
    return [[point.equity for point in day][-1] for _, day in groupby(curve, key=_day)]


def simple_returns(equity: Sequence[Decimal]) -> list[float]:
    """What each point brought relative to the one before; empty when equity was ever used up."""
    if any(value <= 0 for value in equity):
        return []
    return [float(after / before - 1) for before, after in pairwise(equity)]


def sharpe_ratio(returns: Sequence[float]) -> Decimal | None:
    """Annual Sharpe ratio of daily simple returns, None when they do not vary."""
    deviation = stdev(returns) if len(returns) > 1 else 0.0
    return _annual_ratio(returns, deviation)


def sortino_ratio(returns: Sequence[float]) -> Decimal | None:
    """Annual Sortino ratio of daily simple returns against 0, None when none of them is negative."""
    downside = math.sqrt(fmean(min(value, 0.0) ** 2 for value in returns)) if len(returns) > 1 else 0.0
    return _annual_ratio(returns, downside)


def max_drawdown(equity: Sequence[Decimal]) -> Decimal:
    """The deepest fall from a peak as a negative fraction of that peak, 0 when there is none."""
    deepest, peak = _ZERO, _ZERO
    for value in equity:
        peak = max(peak, value)
        deepest = min(deepest, value / peak - 1)
    return deepest


def _calmar_ratio(equity: Sequence[Decimal], drawdown: Decimal) -> Decimal | None:
    if not drawdown or min(equity) <= 0:
        return None
    years = (len(equity) - 1) / TRADING_DAYS
    try:
        annual_return = math.expm1(math.log(equity[-1] / equity[0]) / years)
    except OverflowError:  # A few days' gain, compounded over a year, can pass all floats.
        return None
    return _ratio(annual_return, -float(drawdown))


def _day(point: EquityPoint) -> date:
    return (point.time - _INSTANT).date()


def _longest_run(outcomes: Sequence[bool]) -> int:
    return max((sum(1 for _ in run) for happened, run in groupby(outcomes) if happened), default=0)


def _quotient(dividend: Decimal, divisor: Decimal) -> Decimal | None:
    return _rounded(dividend / divisor) if divisor else None


def _annual_ratio(returns: Sequence[float], risk: float) -> Decimal | None:
    return _ratio(fmean(returns) * math.sqrt(TRADING_DAYS), risk) if risk else None


def _ratio(dividend: float, divisor: float) -> Decimal | None:
    value = dividend / divisor
    return _rounded(Decimal(value)) if abs(value) < _RATIO_LIMIT else None


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(_RATIO, ROUND_HALF_EVEN)
