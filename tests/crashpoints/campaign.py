"""Which points of a service are tried? All that any run has shown, or some, or one; one in each act of a run.

A run has up to one death in each act: since everything came to rest before, a death meets the same as if it was the only
one, and what it spoils shows in its act or at the end. A point that was not met so, and each point of a run after which
something was wrong, has a run of its own; `--alone` gives one to every point.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext

from tests.crashpoints.crossings import Crossing, Point
from tests.crashpoints.expectations import Leftover
from tests.crashpoints.runs import Outcome, once
from tests.crashpoints.servers import Servers
from tests.crashpoints.stage import Stage, stage

BATCH = 12
"""Runs on one installation: the checker looks at all of them after each."""
_TRIES = 3
"""How often a point is waited for that other runs have crossed: how work falls into batches is a matter of chance."""


@dataclass(frozen=True)
class Violation:
    """Something was wrong after a run."""

    points: frozenset[Point]
    """Where it died; none for the undisturbed run."""
    text: str


@dataclass
class Tally:
    """What is known of one service."""

    service: str
    known: dict[Point, Crossing] = field(default_factory=dict)
    killed: set[Point] = field(default_factory=set)
    missed: Counter[Point] = field(default_factory=Counter)
    suspects: list[Point] = field(default_factory=list)
    """Those of runs after which something was wrong, to be tried alone."""
    violations: list[Violation] = field(default_factory=list)
    undisturbed: Leftover | None = None
    runs: int = 0
    seconds: float = 0.0

    def note(self, deadly: frozenset[Point], outcome: Outcome) -> None:
        """Keep what a run showed."""
        self.runs += 1
        self.seconds += outcome.seconds
        self.undisturbed = self.undisturbed or outcome.leftover
        for point, crossing in outcome.crossed.items():
            self.known.setdefault(point, crossing)
        self.killed |= outcome.died_at
        self.missed.update(deadly - outcome.died_at)
        self.violations += [Violation(outcome.died_at, text) for text in outcome.violations]
        if outcome.violations and len(deadly) > 1:
            self.suspects += sorted(outcome.died_at)

    def open(self, points: Sequence[Point]) -> list[Point]:
        """Those that are still to be tried."""
        return [point for point in points if point not in self.killed and self.missed[point] < _TRIES]

    @property
    def not_met(self) -> list[Point]:
        """Points that were waited for and never came."""
        return [point for point in self.missed if point not in self.killed]

    @property
    def found(self) -> list[Violation]:
        """What was wrong; of what came again after a single death, only that."""
        alone = {point for violation in self.violations if len(violation.points) == 1 for point in violation.points}
        return [one for one in self.violations if len(one.points) <= 1 or not one.points & alone]


Choice = Callable[[Tally], Sequence[Point]]
"""Which of the points that are known by now to try."""


def every(tally: Tally) -> Sequence[Point]:
    """All of them, also those that turn up on the way."""
    return list(tally.known)


def some(number: int, seed: int) -> Choice:
    """So many of those that the undisturbed run crossed."""
    drawn: dict[str, Sequence[Point]] = {}

    def choose(tally: Tally) -> Sequence[Point]:
        if tally.service not in drawn:
            points = sorted(tally.known)
            drawn[tally.service] = random.Random(seed).sample(points, min(number, len(points)))
        return drawn[tally.service]

    return choose


def only(point: Point) -> Choice:
    """One, whether it is known or not."""
    return lambda _: [point]


def none(_tally: Tally) -> Sequence[Point]:
    """Only the undisturbed run."""
    return []


Together = Callable[[Tally, Sequence[Point]], frozenset[Point]]
"""Which of the points that are open share the next run."""


def alone(_tally: Tally, points: Sequence[Point]) -> frozenset[Point]:
    """The first."""
    return frozenset(points[:1])


def one_in_each_act(tally: Tally, points: Sequence[Point]) -> frozenset[Point]:
    """The first of each act; one alone of those that were not met in company."""
    fresh = [point for point in points if not tally.missed[point]]
    return frozenset({point.act: point for point in reversed(fresh)}.values()) or alone(tally, points)


async def campaign(
    tally: Tally,
    servers: Servers,
    zygote: ForkServerContext,
    choose: Choice,
    together: Together,
    report: Callable[[Tally], None],
) -> None:
    """Play an undisturbed run, and then as many as the points need that are chosen; `report` is told after each."""
    async with aclosing(_stages(tally, servers, zygote)) as stages:
        async for place in stages:
            deadly = _next(tally, choose, together)
            if tally.runs and not deadly:
                return
            tally.note(deadly, await once(place, deadly, tally.undisturbed))
            report(tally)
            if tally.undisturbed is None:
                # Nothing can be learned from deaths while the scenario does not come to its end without any.
                return


def _next(tally: Tally, choose: Choice, together: Together) -> frozenset[Point]:
    if not tally.runs:
        return frozenset()
    if tally.suspects:
        return frozenset({tally.suspects.pop(0)})
    return together(tally, tally.open(choose(tally)))


async def _stages(tally: Tally, servers: Servers, zygote: ForkServerContext) -> AsyncGenerator[Stage, None]:
    """A stage for each run: the same for up to BATCH of them, a new one after a violation."""
    while True:
        violations = len(tally.violations)
        async with stage(tally.service, servers, zygote) as place:
            for _ in range(BATCH):
                yield place
                if len(tally.violations) > violations:
                    break
