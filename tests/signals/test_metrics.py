"""The metrics against empyrical, and the statistics of trades by hand."""

from __future__ import annotations

import math
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import empyrical
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from libs.schema.values import Side
from services.signals.backtest import BacktestResult, EquityPoint, Metrics, Trade, measure
from tests.signals.builders import MONDAY, exactly

equities = st.lists(
    st.decimals(min_value=Decimal(50_000), max_value=Decimal(200_000), places=2), min_size=2, max_size=80
)


def a_result(equity: list[Decimal], pnls: list[Decimal | None] | None = None, hours: int = 24) -> BacktestResult:
    trades = tuple(
        Trade("AAPL", Side.BUY, Decimal(1), Decimal(1), Decimal(0), MONDAY, realised) for realised in pnls or []
    )
    curve = tuple(
        EquityPoint(MONDAY + timedelta(hours=hours * number), value) for number, value in enumerate(equity, start=1)
    )
    gain = equity[-1] - equity[0]
    return BacktestResult(equity[0], trades, curve, (), gain, Decimal(0), Decimal(0))


def measured(*pnls: int | None) -> Metrics:
    cash = Decimal(1000)
    return measure(a_result([cash, cash], [None if pnl is None else Decimal(pnl) for pnl in pnls]))


def same(ours: Decimal | None, theirs: float) -> bool:
    if ours is None:
        return not math.isfinite(theirs)
    return float(ours) == pytest.approx(theirs, rel=1e-7, abs=1e-9)


@given(equities)
def test_ratios_equal_empyrical(equity: list[Decimal]) -> None:
    returns = np.array([float(after / before - 1) for before, after in pairwise(equity)])
    metrics = measure(a_result(equity))
    assert float(metrics.max_drawdown) == pytest.approx(empyrical.max_drawdown(returns), abs=1e-9)
    assert float(metrics.total_return) == pytest.approx(empyrical.cum_returns_final(returns), abs=1e-9)
    assert same(metrics.sharpe_ratio, empyrical.sharpe_ratio(returns))
    assert same(metrics.sortino_ratio, empyrical.sortino_ratio(returns))


@given(equities)
def test_calmar_equals_empyrical(equity: list[Decimal]) -> None:
    returns = np.array([float(after / before - 1) for before, after in pairwise(equity)])
    with np.errstate(over="ignore"):
        theirs = empyrical.calmar_ratio(returns)
    assume(not abs(theirs) > 1e12)
    assert same(measure(a_result(equity)).calmar_ratio, theirs)


def test_a_flat_equity_has_no_ratios_and_no_drawdown() -> None:
    metrics = measure(a_result([Decimal(1000)] * 10))
    assert (metrics.sharpe_ratio, metrics.sortino_ratio, metrics.calmar_ratio) == (None, None, None)
    assert (metrics.max_drawdown, metrics.total_return) == exactly(0, 0)


def test_equity_that_was_used_up_has_a_drawdown_and_no_ratios() -> None:
    metrics = measure(a_result([Decimal(1000), Decimal(-500), Decimal(2000)]))
    assert metrics.max_drawdown == Decimal("-1.5")
    assert (metrics.sharpe_ratio, metrics.sortino_ratio, metrics.calmar_ratio) == (None, None, None)


def test_a_gain_that_compounds_beyond_all_floats_has_no_calmar_ratio() -> None:
    assert measure(a_result([Decimal(100), Decimal(99), Decimal(100_000_000)])).calmar_ratio is None


def test_intraday_points_count_by_the_last_of_each_day() -> None:
    daily = [Decimal(value) for value in (1000, 1100, 1050, 1200)]
    every_six_hours = [value for close in daily for value in (close * 2, close / 2, close + 1, close)]
    assert measure(a_result(every_six_hours, hours=6)).sharpe_ratio == measure(a_result(daily)).sharpe_ratio


def test_statistics_of_closed_trades() -> None:
    metrics = measured(None, 100, 50, None, -30, -20, -25, 0, 10)
    assert (metrics.total_trades, metrics.winning_trades, metrics.losing_trades) == (7, 3, 3)
    assert metrics.win_rate == Decimal("0.428571428571")
    assert metrics.profit_factor == Decimal("2.133333333333")  # 160 / 75
    assert (metrics.best_trade, metrics.worst_trade) == exactly(100, -30)
    assert metrics.avg_trade == Decimal("12.142857142857")  # 85 / 7
    assert (metrics.max_consecutive_wins, metrics.max_consecutive_losses) == (2, 3)


def test_without_closed_trades_there_are_no_averages() -> None:
    metrics = measured(None)
    assert (metrics.total_trades, metrics.max_consecutive_wins, metrics.max_consecutive_losses) == (0, 0, 0)
    assert (metrics.win_rate, metrics.profit_factor, metrics.avg_trade) == (None, None, None)
    assert (metrics.best_trade, metrics.worst_trade) == (None, None)


def test_without_losses_there_is_no_profit_factor() -> None:
    assert measured(10, 20).profit_factor is None
