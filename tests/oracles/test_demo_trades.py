"""What the demo has to come to, by other means: whole columns in numpy, pandas and TA-Lib, money in integers.

Nothing of ours takes part in the oracle, not even the reading of the file. A stance that is decided at a close is
traded at the next open; the equity is cash, by its flows, and what is held at the close.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import empyrical
import numpy as np
import pandas as pd
import pytest
import talib

from fillstream.demo.backtests import Execution, backtest
from fillstream.demo.workspaces import BARS, WORKSPACES, Workspace
from fillstream.replay import NoData, load_lines, packaged_data
from services.marketdata.csv_bars import Reading
from services.marketdata.model import Bar
from services.portfolio.performance import measure as measure_portfolio
from services.signals.backtest import BacktestResult, measure, run
from services.signals.rules import Bar as RuleBar

START, END = "2011-03-01", "2013-03-01"
UNITS = 10_000
"""Money is counted in hundredths of a cent: no price of the file has a smaller part."""
CASH = 100_000 * UNITS
PRICES = ["Open", "High", "Low", "Close"]
Column = pd.Series
Stances = Callable[[pd.DataFrame], Column]


def sma_cross(bars: pd.DataFrame) -> Column:
    """1 from the day of a golden cross of 20 over 50 on, 0 from that of a death cross on."""
    close = bars["Close"].to_numpy(float)
    # Rounded, so that averages that are equal in decimals are equal here.
    gap = pd.Series(np.round(talib.SMA(close, 20) - talib.SMA(close, 50), 6), bars.index)
    before = gap.shift()
    return _latch(on=(before <= 0) & (gap > 0), off=(before >= 0) & (gap < 0))


def rsi_reversion(bars: pd.DataFrame) -> Column:
    """1 from an RSI below 30 on, 0 from one above 70 on; where nothing has moved yet there is none."""
    rsi = pd.Series(talib.RSI(bars["Close"].to_numpy(float), 14), bars.index)
    rsi = rsi.where(bars["Close"].diff().abs().cumsum() > 0)
    return _latch(on=rsi < 30, off=rsi > 70)


def donchian(bars: pd.DataFrame) -> Column:
    """The sum of two latches: one that is long, one that is short; every entry of one is an exit of the other."""
    high, low = bars["High"].shift(), bars["Low"].shift()
    close = bars["Close"]
    up, down = close > high.rolling(20).max(), close < low.rolling(20).min()
    long = _latch(on=up, off=down | (close < low.rolling(10).min()))
    short = _latch(on=down, off=up | (close > high.rolling(10).max()))
    return long - short


def _latch(on: Column, off: Column) -> Column:
    return pd.Series(np.where(on, 1.0, np.where(off, 0.0, np.nan)), on.index).ffill().fillna(0.0).astype(np.int64)


LEGS: dict[str, list[tuple[str, int, Stances]]] = {
    "trend": [("AAPL", 100, sma_cross)],
    "reversion": [("IBM", 100, rsi_reversion)],
    "breakout": [("MSFT", 300, donchian), ("GOOG", 50, donchian)],
}


def fees(notional: Column) -> Column:
    """A thousandth, rounded half to even to whole cents."""
    cents, rest = notional // 100_000, notional % 100_000
    return (cents + ((rest > 50_000) | ((rest == 50_000) & (cents % 2 == 1)))) * (UNITS // 100)


@dataclass(frozen=True)
class Answer:
    """What a workspace comes to."""

    trades: list[Execution]
    equity: Column
    """At each close."""
    open_orders: int


def solve(prices: pd.DataFrame, workspace: str) -> Answer:
    """Work out a workspace over all its columns at once."""
    trades: list[Execution] = []
    equity: Column | int = CASH
    open_orders = 0
    for symbol, size, stances in LEGS[workspace]:
        bars = prices.loc[symbol]
        wanted = stances(bars) * size
        held = wanted.shift(fill_value=0)
        traded = held.diff().fillna(held).astype(np.int64)
        fee = fees(traded.abs() * bars["Open"])
        equity = equity + (-traded * bars["Open"] - fee).cumsum() + held * bars["Close"]
        trades += [
            Execution(
                day.to_pydatetime(), symbol, "BUY" if traded[day] > 0 else "SELL", Decimal(int(abs(traded[day]))),
                in_dollars(bars["Open"][day]), in_dollars(fee[day]),
            )
            for day in traded.index[traded != 0]
        ]  # fmt: skip
        open_orders += int(wanted.iloc[-1] != held.iloc[-1])
    assert isinstance(equity, pd.Series)
    return Answer(sorted(trades, key=lambda trade: (trade.time, trade.symbol)), equity, open_orders)


def in_dollars(units: int) -> Decimal:
    return Decimal(int(units)) / UNITS


@pytest.fixture(scope="module")
def folder() -> Path:
    try:
        return packaged_data()
    except NoData as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def prices(folder: Path) -> pd.DataFrame:
    """Prices by symbol and day."""
    table = pd.read_csv(folder / "stocks.csv.gz", parse_dates=["Date"])
    table = table[(table["Date"] >= START) & (table["Date"] <= END) & table["Ticker"].isin(BARS.symbols)]
    table["Date"] = table["Date"].dt.tz_localize("UTC").dt.as_unit("us")
    units = np.round(table[PRICES] * UNITS).astype(np.int64)
    np.testing.assert_allclose(units / UNITS, table[PRICES], rtol=0, atol=1e-9)
    table[PRICES] = units
    return table.set_index(["Ticker", "Date"]).sort_index()


@pytest.fixture(scope="module")
def bars(folder: Path) -> list[Bar]:
    return [line.bar for line in load_lines(folder, BARS, Reading())]


def result_of(name: str, bars: list[Bar]) -> BacktestResult:
    """The backtest with its equity curve."""
    series: defaultdict[str, list[RuleBar]] = defaultdict(list)
    for bar in bars:
        prices = (bar.open, bar.high, bar.low, bar.close, bar.volume)
        series[bar.symbol].append(RuleBar(bar.symbol, bar.timeframe, bar.open_time, *prices))
    [workspace] = [workspace for workspace in WORKSPACES if workspace.name == name]
    return run(workspace.legs, series, Decimal(100_000), Decimal("0.001"))


def test_the_range_has_all_trading_days_of_two_years(prices: pd.DataFrame, bars: list[Bar]) -> None:
    assert dict(prices.groupby("Ticker").size()) == dict.fromkeys(("AAPL", "GOOG", "IBM", "MSFT"), 504)
    assert len(bars) == 4 * 504


@pytest.mark.parametrize("workspace", WORKSPACES, ids=lambda workspace: workspace.name)
def test_the_backtest_trades_as_the_oracle_does_to_the_cent(
    workspace: Workspace, prices: pd.DataFrame, bars: list[Bar]
) -> None:
    answer, expected = solve(prices, workspace.name), backtest(workspace, bars)
    assert len(answer.trades) > 3
    assert sorted(expected.trades, key=lambda trade: (trade.time, trade.symbol)) == answer.trades
    assert expected.equity == in_dollars(answer.equity.iloc[-1])


@pytest.mark.parametrize("name", LEGS)
def test_the_equity_of_every_day_and_its_figures_are_those_of_the_oracle(
    name: str, prices: pd.DataFrame, bars: list[Bar]
) -> None:
    answer, result = solve(prices, name), result_of(name, bars)
    curve = [point.equity for point in result.equity_curve]
    assert curve == [in_dollars(units) for units in answer.equity]
    assert len(result.open_orders) == answer.open_orders
    returns = answer.equity.pct_change().dropna()
    for figures in (measure(result), measure_portfolio(curve)):
        sharpe = figures.sharpe_ratio if hasattr(figures, "sharpe_ratio") else figures.sharpe
        assert float(sharpe or 0) == pytest.approx(empyrical.sharpe_ratio(returns), abs=1e-9)
        # A fall is seen from the first point on, also where it is the peak.
        assert float(figures.max_drawdown or 0) == pytest.approx(empyrical.max_drawdown(returns), abs=1e-9)
