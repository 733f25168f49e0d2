"""When does a reversion to the mean want to be long?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from services.signals.indicators import Rsi
from services.signals.rules.bar import Bar
from services.signals.rules.decision import Want
from services.signals.rules.parameters import MAX_PERIOD, Percentage, RuleParameters
from services.signals.rules.stance import Stance


class RsiReversion(RuleParameters):
    """Long from an oversold close, flat from an overbought one."""

    kind: Literal["rsi_reversion"]
    period: Annotated[int, Field(strict=True, ge=2, le=MAX_PERIOD)]
    buy_below: Percentage
    sell_above: Percentage

    @field_validator("sell_above")
    @classmethod
    def _is_above(cls, sell_above: Percentage, info: ValidationInfo) -> Percentage:
        if sell_above <= info.data.get("buy_below", 0):
            msg = "must be greater than buy_below"
            raise ValueError(msg)
        return sell_above


@dataclass(frozen=True, slots=True)
class RsiReversionMemory:
    """The index up to the last bar."""

    rsi: Rsi
    kind: Literal["rsi_reversion"] = "rsi_reversion"


def start(parameters: RsiReversion) -> RsiReversionMemory:
    """The memory before the first bar."""
    return RsiReversionMemory(Rsi(parameters.period))


def look(parameters: RsiReversion, memory: RsiReversionMemory, bar: Bar) -> tuple[RsiReversionMemory, Want | None]:
    """Compare the index with both thresholds.

    Strength is the way beyond the threshold as a part of the way to the end of the scale (0 or 100).
    """
    after = RsiReversionMemory(memory.rsi.update(bar.close))
    rsi = after.rsi.value
    if rsi is None:
        return after, None
    if rsi < parameters.buy_below:
        return after, Want(Stance.LONG, (parameters.buy_below - rsi) / parameters.buy_below, {"rsi": rsi})
    if rsi > parameters.sell_above:
        return after, Want(Stance.FLAT, (rsi - parameters.sell_above) / (100 - parameters.sell_above), {"rsi": rsi})
    return after, None
