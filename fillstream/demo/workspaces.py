"""Who trades what in the demo?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from fillstream.replay import Selection
from services.signals.backtest import Leg
from services.signals.rules import PARAMETERS

INITIAL_CASH = Decimal(100_000)
COMMISSION_RATE = Decimal("0.001")
BARS = Selection(("AAPL", "GOOG", "IBM", "MSFT"), date(2011, 3, 1), date(2013, 3, 1))


@dataclass(frozen=True, slots=True)
class Workspace:
    """One tenant of the demo and its strategies."""

    name: str
    legs: tuple[Leg, ...]


def _leg(symbol: str, size: int, **parameters: object) -> Leg:
    return Leg(symbol, PARAMETERS.validate_python(parameters), Decimal(size))


WORKSPACES = (
    Workspace("trend", (_leg("AAPL", 100, kind="sma_cross", fast=20, slow=50),)),
    Workspace("reversion", (_leg("IBM", 100, kind="rsi_reversion", period=14, buy_below="30", sell_above="70"),)),
    Workspace(
        "breakout",
        (
            _leg("MSFT", 300, kind="donchian", entry=20, exit=10),
            _leg("GOOG", 50, kind="donchian", entry=20, exit=10),
        ),
    ),
)
