"""What does one run show? The scenario is played, a life may be cut short, and everything must be as if it was not."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from fillstream.inflight import NeverQuiet
from tests.crashpoints.client import Refused
from tests.crashpoints.crossings import Journal, Point
from tests.crashpoints.expectations import Leftover, left_by, wrong_figures
from tests.crashpoints.scenario import Run, play
from tests.crashpoints.stage import Stage, Victim
from tests.proof.invariants import check

_numbers = count(1)


@dataclass(frozen=True)
class Outcome:
    """What came of a run."""

    journal: Journal
    """Of the first life of the service under test."""
    violations: Sequence[str]
    leftover: Leftover | None
    """None when the scenario did not come to its end."""
    seconds: float


async def once(stage: Stage, deadly: Point | None, undisturbed: Leftover | None) -> Outcome:
    """Play the scenario once, with a death at a point; compared with what an undisturbed run left, if there was one."""
    started = time.monotonic()
    run = Run(stage, f"{next(_numbers):04}")
    async with stage.victim(deadly) as victim:
        leftover, violations = await _result(run, undisturbed)
        violations += _own_ends(victim)
        journal = victim.journal
    return Outcome(journal, violations, leftover, time.monotonic() - started)


async def _result(run: Run, undisturbed: Leftover | None) -> tuple[Leftover | None, list[str]]:
    try:
        person = await play(run)
    except (Refused, NeverQuiet, AssertionError) as error:
        return None, [f"the scenario broke off: {error}", *await _broken(run)]
    leftover = await left_by(run, person)
    violations = [f"figures: {wrong}" for wrong in await wrong_figures(run, person)]
    if undisturbed is not None:
        violations += [f"not as undisturbed: {difference}" for difference in undisturbed.differences(leftover)]
    return leftover, violations + await _broken(run)


async def _broken(run: Run) -> list[str]:
    return [str(violation) for violation in await check(run.stage.settings)]


def _own_ends(victim: Victim) -> list[str]:
    if victim.ended_by_itself is None:
        return []
    return [f"the process ended by itself with status {victim.ended_by_itself}"]
