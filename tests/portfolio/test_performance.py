"""Are the statistics those of empyrical-reloaded?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal

import empyrical
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.portfolio.performance import UNDEFINED, Performance, measure

EQUITY = st.lists(st.decimals(min_value=50_000, max_value=150_000, places=2), min_size=2, max_size=60)
FIELDS = ("total_return", "volatility", "sharpe", "sortino", "max_drawdown")


def oracle(equity: Sequence[Decimal]) -> dict[str, float]:
    returns = pd.Series([float(point) for point in equity]).pct_change().dropna()
    return {
        "total_return": float(empyrical.cum_returns_final(returns)),
        "volatility": empyrical.annual_volatility(returns),
        "sharpe": empyrical.sharpe_ratio(returns),
        "sortino": empyrical.sortino_ratio(returns),
        "max_drawdown": empyrical.max_drawdown(returns),
    }


def points(*equity: str) -> list[Decimal]:
    return [Decimal(point) for point in equity]


@given(EQUITY)
def test_figures_agree_with_empyrical(equity: list[Decimal]) -> None:
    ours, theirs = measure(equity), oracle(equity)
    for field in FIELDS:
        value = getattr(ours, field)
        if value is None:
            assert not math.isfinite(theirs[field]), field
            continue
        assert math.isclose(value, theirs[field], rel_tol=1e-7, abs_tol=1e-11), field


@given(EQUITY)
def test_the_drawdown_is_between_all_and_nothing(equity: list[Decimal]) -> None:
    drawdown = measure(equity).max_drawdown
    assert drawdown is not None
    assert -1 <= drawdown <= 0


@given(EQUITY, st.integers(2, 9))
def test_figures_do_not_depend_on_the_unit_of_money(equity: list[Decimal], factor: int) -> None:
    assert measure(equity) == measure([point * factor for point in equity])


def test_a_known_series() -> None:
    assert measure(points("100", "110", "99", "108.9")) == Performance(
        total_return=Decimal("0.089"),
        volatility=Decimal("1.833030277982"),
        sharpe=Decimal("4.582575694956"),
        sortino=Decimal("9.165151389912"),
        max_drawdown=Decimal("-0.1"),
    )


def test_a_fall_right_after_the_first_point_is_a_drawdown() -> None:
    assert measure(points("100", "80", "90")).max_drawdown == Decimal("-0.2")


def test_a_series_that_only_rises_never_draws_down_and_has_no_sortino() -> None:
    performance = measure(points("100", "101", "103"))
    assert performance.max_drawdown == 0
    assert performance.sortino is None


@pytest.mark.parametrize("equity", [[], points("100"), points("100", "0", "100"), points("-5", "100")])
def test_nothing_is_defined_without_a_return_or_on_no_capital(equity: list[Decimal]) -> None:
    assert measure(equity) == UNDEFINED


def test_one_return_defines_neither_deviation_nor_ratios() -> None:
    assert measure(points("100", "90")) == Performance(Decimal("-0.1"), None, None, None, Decimal("-0.1"))


def test_equal_returns_have_no_sharpe() -> None:
    performance = measure(points("100", "110", "121"))
    assert performance.volatility == 0
    assert performance.sharpe is None


def test_losing_everything_at_the_end_is_minus_one() -> None:
    performance = measure(points("100", "50", "0"))
    assert performance.total_return == -1
    assert performance.max_drawdown == -1
