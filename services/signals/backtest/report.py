"""What is told of a backtest? Its metrics, its trades and where the account ended."""

from __future__ import annotations

from dataclasses import dataclass

from services.signals.backtest.figures import Money
from services.signals.backtest.loop import BacktestResult, OpenOrder, RefusedOrder, Trade
from services.signals.backtest.metrics import Metrics, measure


@dataclass(frozen=True, slots=True)
class BacktestReport:
    """A finished backtest, without its equity curve."""

    metrics: Metrics
    trades: tuple[Trade, ...]
    open_orders: tuple[OpenOrder, ...]
    realised_pnl: Money
    """Before fees."""
    unrealised_pnl: Money
    fees: Money
    equity: Money
    """At the last close."""
    refused_orders: tuple[RefusedOrder, ...] = ()
    """What the account could not pay."""


def report(result: BacktestResult) -> BacktestReport:
    """The report of a finished backtest."""
    return BacktestReport(
        metrics=measure(result),
        trades=result.trades,
        open_orders=result.open_orders,
        realised_pnl=result.realised_pnl,
        unrealised_pnl=result.unrealised_pnl,
        fees=result.fees,
        equity=result.equity,
        refused_orders=result.refused_orders,
    )
