"""When does a breakout from a Donchian channel want to be long or short?"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from services.signals.indicators import Donchian
from services.signals.rules.bar import Bar
from services.signals.rules.decision import Want
from services.signals.rules.parameters import Period, RuleParameters
from services.signals.rules.stance import Stance


class DonchianBreakout(RuleParameters):
    """Long or short from a close outside the entry channel, flat from one outside the narrower exit channel."""

    kind: Literal["donchian"]
    entry: Period
    exit: Period
    allow_short: Annotated[bool, Field(strict=True)] = True

    @field_validator("exit")
    @classmethod
    def _is_not_longer(cls, exit_: int, info: ValidationInfo) -> int:
        # A longer exit channel would be the wider one, and a breakout against the position could leave it standing.
        if exit_ > info.data.get("entry", exit_):
            msg = "must not be greater than entry"
            raise ValueError(msg)
        return exit_


@dataclass(frozen=True, slots=True)
class DonchianMemory:
    """The channels of the bars up to the last one."""

    entry: Donchian
    exit: Donchian
    kind: Literal["donchian"] = "donchian"


def start(parameters: DonchianBreakout) -> DonchianMemory:
    """The memory before the first bar."""
    return DonchianMemory(Donchian(parameters.entry), Donchian(parameters.exit))


def look(
    parameters: DonchianBreakout, memory: DonchianMemory, stance: Stance, bar: Bar
) -> tuple[DonchianMemory, Want | None]:
    """Compare the close with the channels of the bars before this one; an entry comes before an exit."""
    after = DonchianMemory(memory.entry.update(bar.high, bar.low), memory.exit.update(bar.high, bar.low))
    return after, _enter(parameters, memory.entry, bar.close) or _leave(memory.exit, stance, bar.close)


def _enter(parameters: DonchianBreakout, channel: Donchian, close: Decimal) -> Want | None:
    if channel.upper is None or channel.lower is None:
        return None
    if close > channel.upper:
        return _breakout(Stance.LONG, close - channel.upper, channel)
    if parameters.allow_short and close < channel.lower:
        return _breakout(Stance.SHORT, channel.lower - close, channel)
    return None


def _leave(channel: Donchian, stance: Stance, close: Decimal) -> Want | None:
    if channel.upper is None or channel.lower is None:
        return None
    if stance is Stance.LONG and close < channel.lower:
        return _breakout(Stance.FLAT, channel.lower - close, channel)
    if stance is Stance.SHORT and close > channel.upper:
        return _breakout(Stance.FLAT, close - channel.upper, channel)
    return None


def _breakout(stance: Stance, distance: Decimal, channel: Donchian) -> Want:
    """Strength is the distance from the channel in channel widths; a channel without width is no measure, and gives none."""
    upper, lower = max(channel.highs), min(channel.lows)
    strength = distance / (upper - lower) if upper > lower else Decimal(0)
    return Want(stance, strength, {"upper": upper, "lower": lower})
