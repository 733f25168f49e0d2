"""Which acts has a run, in their order? The person's who stays, and then those of the one who leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.crashpoints.leaver import DEPARTURE
from tests.crashpoints.scenario import LIFE, Act, Run

ACTS: Sequence[Act] = (*LIFE, *DEPARTURE)


async def play(run: Run, begin_act: Callable[[int], None]) -> None:
    """Play the whole scenario. Raises Refused, NeverQuiet, and AssertionError for what can't be as it is."""
    for number, act in enumerate(ACTS, start=1):
        begin_act(number)
        await act(run)
        await run.stage.rest()
