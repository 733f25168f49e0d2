"""What is a bar to a strategy?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from libs.schema.values import Symbol, Timeframe


@dataclass(frozen=True, slots=True)
class Bar:
    """The prices of one instrument over [open_time, close_time)."""

    symbol: Symbol
    timeframe: Timeframe
    open_time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal

    @property
    def series(self) -> tuple[Symbol, Timeframe]:
        """Which bars it is one of."""
        return self.symbol, self.timeframe

    @property
    def close_time(self) -> datetime:
        """The first moment after the bar: that at which a strategy decides on it."""
        return self.open_time + self.timeframe.duration
