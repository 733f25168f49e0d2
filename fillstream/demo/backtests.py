"""What would a backtest have done on the same bars? The other side of the comparison with the stream."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from fillstream.demo.workspaces import COMMISSION_RATE, INITIAL_CASH, Workspace
from services.marketdata.model import Bar
from services.signals.backtest import run
from services.signals.rules import Bar as RuleBar


@dataclass(frozen=True, slots=True)
class Execution:
    """What has to be equal of a trade."""

    time: datetime
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal


@dataclass(frozen=True, slots=True)
class Expected:
    """What the stream has to come to."""

    trades: list[Execution]
    equity: Decimal


def backtest(workspace: Workspace, bars: Sequence[Bar]) -> Expected:
    """Run the workspace's strategies over the bars, on one account."""
    series: defaultdict[str, list[RuleBar]] = defaultdict(list)
    for bar in bars:
        series[bar.symbol].append(
            RuleBar(bar.symbol, bar.timeframe, bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume)
        )
    result = run(workspace.legs, series, INITIAL_CASH, COMMISSION_RATE)
    trades = [Execution(t.time, t.symbol, t.side, t.quantity, t.price, t.fee) for t in result.trades]
    return Expected(trades, result.equity)
