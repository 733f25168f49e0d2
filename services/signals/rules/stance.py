"""What does a strategy want to hold, and what is a change of it called?"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from libs.schema.values import Side, SignalType


class Stance(StrEnum):
    """What a strategy wants to hold of its instrument."""

    LONG = "LONG"
    FLAT = "FLAT"
    SHORT = "SHORT"

    @property
    def sign(self) -> int:
        """The wanted position in units of the strategy's size: 1, 0 or -1."""
        return _SIGNS[self]


_SIGNS = {Stance.LONG: 1, Stance.FLAT: 0, Stance.SHORT: -1}

SIGNAL_TYPES: Mapping[tuple[Stance, Stance], SignalType] = MappingProxyType(
    {
        (Stance.FLAT, Stance.LONG): SignalType.BUY,
        (Stance.LONG, Stance.FLAT): SignalType.SELL,
        (Stance.FLAT, Stance.SHORT): SignalType.SHORT,
        (Stance.SHORT, Stance.FLAT): SignalType.COVER,
        # A reversal is named after the position that it opens; its quantity ends the old one as well.
        (Stance.SHORT, Stance.LONG): SignalType.BUY,
        (Stance.LONG, Stance.SHORT): SignalType.SHORT,
    }
)
"""The signal of each change from one stance to another."""

SIDES: Mapping[SignalType, Side] = MappingProxyType(
    {
        SignalType.BUY: Side.BUY,
        SignalType.COVER: Side.BUY,
        SignalType.SELL: Side.SELL,
        SignalType.SHORT: Side.SELL,
    }
)
"""Which way the order of a signal trades."""
