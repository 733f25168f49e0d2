"""How well did an account do? Statistics on its simple returns, one a day, from its deposit on.

Definitions are those of empyrical-reloaded 0.7 with 252 days a year and no risk-free rate, computed in decimals, so
that equal returns are equal and a series without dispersion is seen as such. They are ratios, not money.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from itertools import accumulate, pairwise

TRADING_DAYS = 252
_DIGITS = 50
_RATIO = Decimal("1E-12")
_MIN_RETURNS = 2

Returns = Sequence[Decimal]


@dataclass(frozen=True, slots=True)
class Point:
    """What an account was worth at a moment."""

    as_of: datetime
    equity: Decimal


def day_of(close: datetime) -> date:
    """The UTC day that a close ends or lies in: a bar that closes at midnight is of the day before."""
    return (close - timedelta.resolution).date()


def daily(points: Sequence[Point], days: Sequence[date]) -> list[Decimal]:
    """The equity at the end of each day from the first point's on, in order of time.

    `days` are those with a close of what the account has ever traded. An account that held nothing has no point that day:
    it is worth what it was.
    """
    if not points:
        return []
    kept = [day_of(point.as_of) for point in points]
    every = sorted({*kept, *(day for day in days if day > kept[0])})
    return [points[bisect_right(kept, day) - 1].equity for day in every]


@dataclass(frozen=True, slots=True)
class Performance:
    """Each figure has 12 decimals, and is None where it is undefined (too few points, no dispersion, no downside)."""

    total_return: Decimal | None
    """Last equity over the deposit, less one."""
    volatility: Decimal | None
    """Annualised sample deviation of the returns."""
    sharpe: Decimal | None
    """Annualised mean return per sample deviation."""
    sortino: Decimal | None
    """Annualised mean return per downside deviation, which is taken over all returns."""
    max_drawdown: Decimal | None
    """The deepest fall from an earlier peak, as a fraction of it: zero or negative. The deposit is a peak."""


UNDEFINED = Performance(None, None, None, None, None)


def measure(equity: Sequence[Decimal]) -> Performance:
    """The performance of a deposit and what became of it at the end of each day, in order of time.

    A return on nothing, or on a debt, has no meaning: nothing is defined when a point before the last is not positive.
    """
    if len(equity) < _MIN_RETURNS or min(equity[:-1]) <= 0:
        return UNDEFINED
    with localcontext(prec=_DIGITS, rounding=ROUND_HALF_EVEN):
        returns = [after / before - 1 for before, after in pairwise(equity)]
        return Performance(
            total_return=_round(equity[-1] / equity[0] - 1),
            volatility=_of_returns(_volatility, returns),
            sharpe=_of_returns(_sharpe, returns),
            sortino=_of_returns(_sortino, returns),
            max_drawdown=_round(
                min(point / peak - 1 for point, peak in zip(equity, accumulate(equity, max), strict=True))
            ),
        )


def _of_returns(ratio: Callable[[Returns], Decimal | None], returns: Returns) -> Decimal | None:
    if len(returns) < _MIN_RETURNS:
        return None
    value = ratio(returns)
    return None if value is None else _round(value)


def _volatility(returns: Returns) -> Decimal:
    return _deviation(returns) * Decimal(TRADING_DAYS).sqrt()


def _sharpe(returns: Returns) -> Decimal | None:
    if min(returns) == max(returns):
        return None
    return _mean(returns) / _deviation(returns) * Decimal(TRADING_DAYS).sqrt()


def _sortino(returns: Returns) -> Decimal | None:
    if min(returns) >= 0:
        return None
    downside = _mean([min(value, Decimal(0)) ** 2 for value in returns]).sqrt()
    return _mean(returns) / downside * Decimal(TRADING_DAYS).sqrt()


def _deviation(returns: Returns) -> Decimal:
    mean = _mean(returns)
    squares = sum((value - mean) ** 2 for value in returns)
    return (squares / Decimal(len(returns) - 1)).sqrt()


def _mean(values: Returns) -> Decimal:
    return sum(values, Decimal(0)) / len(values)


def _round(value: Decimal) -> Decimal:
    # Adding zero turns a negative zero, left by rounding, into a plain one.
    return value.quantize(_RATIO) + 0
