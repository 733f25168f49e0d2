"""What do the bars say so far? Indicators that take one bar at a time and can be put away and taken up again.

Each is a small immutable value: `update` returns the next one. All numbers are Decimals, so that a state written as
JSON (Decimals as strings) and read back goes on exactly as if it had never stopped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

_ZERO = Decimal(0)
_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Sma:
    """Simple moving average: the mean of the last `period` closes."""

    period: int
    window: tuple[Decimal, ...] = ()
    """The last closes, oldest first, at most `period`."""

    def update(self, close: Decimal) -> Sma:
        """The average with one more close."""
        return Sma(self.period, (*self.window, close)[-self.period :])

    @property
    def value(self) -> Decimal | None:
        """The mean, or None until `period` closes were seen. Summed anew each time, so that no rounding piles up."""
        if len(self.window) < self.period:
            return None
        return sum(self.window, _ZERO) / self.period


@dataclass(frozen=True, slots=True)
class Rsi:
    """Wilder's relative strength index (New Concepts in Technical Trading Systems, 1978), with the values of TA-Lib.

    Where nothing moved at all it has no value: the ratio of no gain to no loss is undefined. (TA-Lib says 0 there, which
    reads as the strongest fall that there can be.)
    """

    period: int
    changes: int = 0
    """How many changes from close to close were seen, counted up to `period`."""
    last_close: Decimal | None = None
    gain: Decimal = _ZERO
    """Before `period` changes: the sum of the rises. From then on: their Wilder average."""
    loss: Decimal = _ZERO
    """The same of the falls, as a positive number."""

    def update(self, close: Decimal) -> Rsi:
        """The index with one more close."""
        if self.last_close is None:
            return replace(self, last_close=close)
        change = close - self.last_close
        rise, fall = max(change, _ZERO), max(-change, _ZERO)
        if self.changes < self.period:
            return self._gather(close, rise, fall)
        kept = self.period - 1
        gain, loss = (self.gain * kept + rise) / self.period, (self.loss * kept + fall) / self.period
        return replace(self, last_close=close, gain=gain, loss=loss)

    def _gather(self, close: Decimal, rise: Decimal, fall: Decimal) -> Rsi:
        changes, gain, loss = self.changes + 1, self.gain + rise, self.loss + fall
        if changes == self.period:
            gain, loss = gain / self.period, loss / self.period
        return Rsi(self.period, changes, close, gain, loss)

    @property
    def value(self) -> Decimal | None:
        """From 0 to 100, or None until `period` changes were seen, and while none of them was a move."""
        moved = self.gain + self.loss
        if self.changes < self.period or not moved:
            return None
        return _HUNDRED * self.gain / moved


@dataclass(frozen=True, slots=True)
class Donchian:
    """Donchian channel: the highest high and the lowest low of the last `period` bars.

    To compare a bar with the bars before it, look at the channel first and update it afterwards.
    """

    period: int
    highs: tuple[Decimal, ...] = ()
    lows: tuple[Decimal, ...] = ()

    def update(self, high: Decimal, low: Decimal) -> Donchian:
        """The channel with one more bar."""
        return Donchian(self.period, (*self.highs, high)[-self.period :], (*self.lows, low)[-self.period :])

    @property
    def upper(self) -> Decimal | None:
        """The highest high, or None until `period` bars were seen."""
        return max(self.highs) if len(self.highs) == self.period else None

    @property
    def lower(self) -> Decimal | None:
        """The lowest low, or None until `period` bars were seen."""
        return min(self.lows) if len(self.lows) == self.period else None
