"""The indicators against TA-Lib and against plain definitions."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import talib
from hypothesis import given
from hypothesis import strategies as st

from services.signals.indicators import Donchian, Rsi, Sma
from tests.signals.builders import prices

series = st.lists(prices, min_size=1, max_size=120)


def same(ours: list[Decimal | None], theirs: np.ndarray) -> None:
    """Equal where both have a value, and both without one at the same bars (TA-Lib says NaN)."""
    np.testing.assert_allclose([float("nan" if value is None else value) for value in ours], theirs, 1e-9, 1e-9)


@given(series, st.integers(2, 30))
def test_sma_equals_talib(closes: list[Decimal], period: int) -> None:
    sma, ours = Sma(period), list[Decimal | None]()
    for close in closes:
        sma = sma.update(close)
        ours.append(sma.value)
    theirs = talib.SMA(np.array([float(close) for close in closes]), period)
    same(ours, theirs)


@given(series, st.integers(2, 30))
def test_rsi_equals_talib(closes: list[Decimal], period: int) -> None:
    rsi, ours = Rsi(period), list[Decimal | None]()
    for close in closes:
        rsi = rsi.update(close)
        ours.append(rsi.value)
    theirs = talib.RSI(np.array([float(close) for close in closes]), period)
    # Where nothing has moved yet, TA-Lib says 0, and the ratio is undefined.
    theirs[: next((at for at, close in enumerate(closes) if close != closes[0]), len(closes))] = np.nan
    same(ours, theirs)


def test_rsi_has_no_value_until_something_moves() -> None:
    rsi = Rsi(2)
    for _ in range(5):
        rsi = rsi.update(Decimal(10))
    assert rsi.value is None
    assert rsi.update(Decimal(11)).value == 100


@given(st.lists(st.tuples(prices, prices), min_size=1, max_size=60), st.integers(1, 20))
def test_donchian_spans_the_bars_it_was_given(bars: list[tuple[Decimal, Decimal]], period: int) -> None:
    channel = Donchian(period)
    for seen, bar in enumerate(bars):
        if seen < period:
            assert channel.upper is None
            assert channel.lower is None
        else:
            before = bars[seen - period : seen]
            assert channel.upper == max(max(pair) for pair in before)
            assert channel.lower == min(min(pair) for pair in before)
        channel = channel.update(max(bar), min(bar))


@given(series, st.integers(1, 30))
def test_memory_is_bounded_by_the_period(closes: list[Decimal], period: int) -> None:
    sma = Sma(period)
    for close in closes:
        sma = sma.update(close)
    assert list(sma.window) == closes[-period:]
