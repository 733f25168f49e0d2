"""What does each kind of strategy want? One pure step per bar, shared by the stream and the backtest.

A kind is a module of its own with its parameters, its memory, and what it wants after a bar; this file knows them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, localcontext
from typing import Annotated

from pydantic import Field, TypeAdapter

from services.signals.rules import donchian, rsi_reversion, sma_cross
from services.signals.rules.bar import Bar
from services.signals.rules.decision import Decision, Want, decide
from services.signals.rules.donchian import DonchianBreakout, DonchianMemory
from services.signals.rules.rsi_reversion import RsiReversion, RsiReversionMemory
from services.signals.rules.sma_cross import SmaCross, SmaCrossMemory
from services.signals.rules.stance import SIDES, Stance

__all__ = [
    "PARAMETERS",
    "RULE_STATE",
    "SIDES",
    "Bar",
    "Decision",
    "Parameters",
    "RuleState",
    "Stance",
    "start",
    "step",
    "warm_up",
]

Parameters = Annotated[SmaCross | RsiReversion | DonchianBreakout, Field(discriminator="kind")]
"""Which rule, and its numbers."""
PARAMETERS: TypeAdapter[Parameters] = TypeAdapter(Parameters)
"""Reads and writes parameters as JSON."""
Memory = SmaCrossMemory | RsiReversionMemory | DonchianMemory

# The rules' own precision, whatever the caller's: the stream and the backtest must round alike.
_ARITHMETIC = Context(prec=28)


@dataclass(frozen=True, slots=True)
class RuleState:
    """All that a rule knows between two bars."""

    stance: Stance
    memory: Annotated[Memory, Field(discriminator="kind")]


RULE_STATE = TypeAdapter(RuleState)
"""Reads and writes a state as JSON without loss."""


def start(parameters: Parameters) -> RuleState:
    """The state before the first bar: flat, with nothing seen."""
    match parameters:
        case SmaCross():
            return RuleState(Stance.FLAT, sma_cross.start(parameters))
        case RsiReversion():
            return RuleState(Stance.FLAT, rsi_reversion.start(parameters))
        case DonchianBreakout():
            return RuleState(Stance.FLAT, donchian.start(parameters))


def step(parameters: Parameters, state: RuleState, bar: Bar) -> tuple[RuleState, Decision | None]:
    """The state after this bar, and the change of stance if there is one.

    Raises TypeError when the state is of another kind than the parameters.
    """
    with localcontext(_ARITHMETIC):
        memory, want = _look(parameters, state, bar)
        if want is None or want.stance is state.stance:
            return RuleState(state.stance, memory), None
        return RuleState(want.stance, memory), decide(parameters, state.stance, want, bar)


def warm_up(parameters: Parameters, state: RuleState, bar: Bar) -> RuleState:
    """The state after a bar of the past, on which nothing is decided any more: the stance stays what it is.

    Raises as `step`.
    """
    with localcontext(_ARITHMETIC):
        memory, _ = _look(parameters, state, bar)
    return RuleState(state.stance, memory)


def _look(parameters: Parameters, state: RuleState, bar: Bar) -> tuple[Memory, Want | None]:
    match parameters, state.memory:
        case SmaCross(), SmaCrossMemory() as memory:
            return sma_cross.look(memory, bar)
        case RsiReversion() as chosen, RsiReversionMemory() as memory:
            return rsi_reversion.look(chosen, memory, bar)
        case DonchianBreakout() as chosen, DonchianMemory() as memory:
            return donchian.look(chosen, memory, state.stance, bar)
    msg = f"a {parameters.kind} rule cannot go on from a {state.memory.kind} state"
    raise TypeError(msg)
