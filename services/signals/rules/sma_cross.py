"""When does a crossing of two moving averages want to be long?"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from pydantic import ValidationInfo, field_validator

from services.signals.indicators import Sma
from services.signals.rules.bar import Bar
from services.signals.rules.decision import Want
from services.signals.rules.parameters import Period, RuleParameters
from services.signals.rules.stance import Stance

_FULL_GAP = Decimal("0.01")


class SmaCross(RuleParameters):
    """Long from the fast average's rise above the slow one, flat from its fall below."""

    kind: Literal["sma_cross"]
    fast: Period
    slow: Period

    @field_validator("slow")
    @classmethod
    def _is_slower(cls, slow: int, info: ValidationInfo) -> int:
        if slow <= info.data.get("fast", 0):
            msg = "must be greater than fast"
            raise ValueError(msg)
        return slow


@dataclass(frozen=True, slots=True)
class SmaCrossMemory:
    """The averages up to the last bar."""

    fast: Sma
    slow: Sma
    kind: Literal["sma_cross"] = "sma_cross"


def start(parameters: SmaCross) -> SmaCrossMemory:
    """The memory before the first bar."""
    return SmaCrossMemory(Sma(parameters.fast), Sma(parameters.slow))


def look(memory: SmaCrossMemory, bar: Bar) -> tuple[SmaCrossMemory, Want | None]:
    """Compare the averages before and after this bar, where both exist on both.

    Strength 1 is a gap of one percent of the slow average.
    """
    after = SmaCrossMemory(memory.fast.update(bar.close), memory.slow.update(bar.close))
    fast_before, slow_before, fast, slow = memory.fast.value, memory.slow.value, after.fast.value, after.slow.value
    if fast_before is None or slow_before is None or fast is None or slow is None:
        return after, None
    strength = abs(fast - slow) / slow / _FULL_GAP
    indicators = {"fast_sma": fast, "slow_sma": slow}
    if fast_before <= slow_before and fast > slow:
        return after, Want(Stance.LONG, strength, indicators)
    if fast_before >= slow_before and fast < slow:
        return after, Want(Stance.FLAT, strength, indicators)
    return after, None
