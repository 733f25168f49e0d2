"""What would strategies have done on past bars? A plain loop over the bars, and the numbers that describe the outcome.

It shares the rules with the stream and nothing else: its fills and its accounts are its own.
"""

from services.signals.backtest.loop import BacktestResult, EquityPoint, Leg, OpenOrder, RefusedOrder, Trade, run
from services.signals.backtest.metrics import Metrics, measure
from services.signals.backtest.report import BacktestReport, report

__all__ = [
    "BacktestReport",
    "BacktestResult",
    "EquityPoint",
    "Leg",
    "Metrics",
    "OpenOrder",
    "RefusedOrder",
    "Trade",
    "measure",
    "report",
    "run",
]
