"""The backtest against another one: TA-Lib and numpy over whole columns of floats, cash flows instead of cost."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from decimal import Decimal

import empyrical
import numpy as np
import pytest
import talib

from services.signals.backtest import Leg, measure, run
from services.signals.rules import Bar, Parameters
from tests.signals.builders import a_bar, rule

Column = np.ndarray
CASH = 100_000


def exact(price: float) -> Decimal:
    return Decimal(price).quantize(Decimal("0.000001"))


def walk(seed: int, days: int = 400) -> list[Bar]:
    """A random walk; its prices have so many decimals that nothing is ever equal by chance."""
    chance, close, bars = random.Random(seed), 100.0, []
    for day in range(days):
        open_ = close * chance.gauss(1, 0.01)
        close = open_ * chance.gauss(1, 0.02)
        high = max(open_, close) * (1 + abs(chance.gauss(0, 0.005)))
        low = min(open_, close) * (1 - abs(chance.gauss(0, 0.005)))
        bars.append(a_bar(exact(close), day=day, open_=exact(open_), high=exact(high), low=exact(low)))
    return bars


def sma_cross(_high: Column, _low: Column, close: Column) -> list[int]:
    above = talib.SMA(close, 5) > (slow := talib.SMA(close, 20))
    stances = [0]
    for today in range(1, len(close)):
        seen = not np.isnan(slow[today - 1])
        crossed = seen and above[today] != above[today - 1]
        stances.append(int(above[today]) if crossed else stances[-1])
    return stances


def rsi_reversion(_high: Column, _low: Column, close: Column) -> list[int]:
    stances = [0]
    for rsi in talib.RSI(close, 14)[1:]:
        stances.append(1 if rsi < 40 else 0 if rsi > 60 else stances[-1])
    return stances


def donchian(high: Column, low: Column, close: Column) -> list[int]:
    stances = [0]
    for today in range(1, len(close)):
        was, price = stances[-1], close[today]
        entry, exit_ = slice(max(today - 20, 0), today), slice(max(today - 10, 0), today)
        if today >= 20 and price > high[entry].max():
            stances.append(1)
        elif today >= 20 and price < low[entry].min():
            stances.append(-1)
        elif (was == 1 and price < low[exit_].min()) or (was == -1 and price > high[exit_].max()):
            stances.append(0)
        else:
            stances.append(was)
    return stances


def equity_of(bars: Sequence[Bar], stances: list[int], size: int) -> tuple[Column, int]:
    """The equity at each close when every stance is traded at the next open, and how many trades that took."""
    opens = np.array([float(bar.open) for bar in bars])
    closes = np.array([float(bar.close) for bar in bars])
    held = np.array([0, *stances[:-1]]) * size
    traded = np.diff(held, prepend=0)
    fees = np.round(np.abs(traded) * opens * 0.001, 2)
    return CASH + np.cumsum(-traded * opens - fees) + held * closes, int(np.count_nonzero(traded))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("chosen", "stances"),
    [
        (rule("sma_cross", fast=5, slow=20), sma_cross),
        (rule("rsi_reversion", period=14, buy_below="40", sell_above="60"), rsi_reversion),
        (rule("donchian", entry=20, exit=10), donchian),
    ],
)
def test_another_backtest_comes_to_the_same(
    chosen: Parameters, stances: Callable[[Column, Column, Column], list[int]], seed: int
) -> None:
    bars = walk(seed)
    high, low, close = (np.array([float(getattr(bar, name)) for bar in bars]) for name in ("high", "low", "close"))
    equity, trades = equity_of(bars, stances(high, low, close), 70)

    result = run([Leg("AAPL", chosen, Decimal(70))], {"AAPL": bars}, Decimal(CASH), Decimal("0.001"))

    assert len(result.trades) == trades > 3
    np.testing.assert_allclose([float(point.equity) for point in result.equity_curve], equity, rtol=0, atol=0.005)
    sharpe = measure(result).sharpe_ratio
    assert sharpe is not None
    assert float(sharpe) == pytest.approx(empyrical.sharpe_ratio(np.diff(equity) / equity[:-1]), abs=1e-6)
