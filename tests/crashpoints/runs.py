"""What does one run show? The scenario is played, a life may be cut short, and everything must be as if it was not."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from fillstream.inflight import NeverQuiet
from tests.crashpoints.acts import ACTS, play
from tests.crashpoints.client import Refused
from tests.crashpoints.crossings import Crossing, Point
from tests.crashpoints.expectations import Leftover, left_by, wrong_figures
from tests.crashpoints.scenario import Run
from tests.crashpoints.stage import Stage, Victim
from tests.proof.invariants import check

_numbers = count(1)


@dataclass(frozen=True)
class Outcome:
    """What came of a run."""

    crossed: Mapping[Point, Crossing]
    """By the first life of the service under test."""
    died_at: frozenset[Point]
    violations: Sequence[str]
    leftover: Leftover | None
    """None when the scenario did not come to its end."""
    seconds: float


async def once(stage: Stage, deadly: frozenset[Point], undisturbed: Leftover | None) -> Outcome:
    """Play the scenario once, with deaths at points; compared with what an undisturbed run left, if there was one."""
    started = time.monotonic()
    run = Run(stage, f"RUN{next(_numbers)}")
    async with stage.victim(deadly) as victim:
        leftover, violations = await _result(run, victim, undisturbed)
        if victim.ended_by_itself is not None:
            violations.append(f"the process ended by itself with status {victim.ended_by_itself}")
        lives = victim.journals()
    died_at = frozenset(life.died_at for life in lives if life.died_at is not None)
    return Outcome(lives[0].crossed if lives else {}, died_at, violations, leftover, time.monotonic() - started)


async def _result(run: Run, victim: Victim, undisturbed: Leftover | None) -> tuple[Leftover | None, list[str]]:
    try:
        await play(run, victim.begin_act)
    except (Refused, NeverQuiet, AssertionError) as error:
        return None, [f"act {victim.act} ({ACTS[victim.act - 1].__name__}) broke off: {error}", *await _broken(run)]
    leftover = await left_by(run)
    violations = [f"figures: {wrong}" for wrong in await wrong_figures(run)]
    if undisturbed is not None:
        violations += [f"not as undisturbed: {difference}" for difference in undisturbed.differences(leftover)]
    return leftover, violations + await _broken(run)


async def _broken(run: Run) -> list[str]:
    return [str(violation) for violation in await check(run.stage.settings)]
