"""Which points of a service are tried? All that any undisturbed run crosses, or some, or one; many of them in a run.

A start costs a fraction of a run, so a run has many deaths: up to IN_AN_ACT in each act, one after the other, since who
has died before a commit comes by all that follows once more. Whatever one of them lost or did twice is still so at the end.
What only heals with one more start does not show in this way, as long as it is not stuck in its act: `--alone` gives a run
to every point. A point that was not met in company (after a commit, another life counts fewer crossings) is tried with one
death in each act, and then alone. After a run in which something was wrong its points are halved until the one is found.
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
IN_AN_ACT = 10
"""Deaths, at most: clients must not lose their patience."""
_COMPANY = (IN_AN_ACT, 1, None, None)
"""How many points of its act share a run with a point that was missed 0, 1, ... times; None is a run of its own.

After that it is given up: how work falls into batches is a matter of chance.
"""
_CONFIRMATIONS = 2
"""Undisturbed runs that must show nothing new, the first one included."""


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
    suspects: list[frozenset[Point]] = field(default_factory=list)
    """Halves of the points of runs after which something was wrong."""
    violations: list[Violation] = field(default_factory=list)
    latest: Sequence[str] = ()
    """What was wrong after the last run."""
    undisturbed: Leftover | None = None
    runs: int = 0
    undisturbed_runs: int = 0
    seconds: float = 0.0

    def note(self, deadly: frozenset[Point], outcome: Outcome) -> None:
        """Keep what a run showed."""
        self.runs += 1
        self.undisturbed_runs += not deadly
        self.seconds += outcome.seconds
        self.undisturbed = self.undisturbed or outcome.leftover
        if not deadly:
            for point, crossing in outcome.crossed.items():
                self.known.setdefault(point, crossing)
        self.killed |= outcome.died_at
        self.missed.update(deadly - outcome.died_at)
        self.latest = outcome.violations
        self.violations += [Violation(outcome.died_at, text) for text in outcome.violations]
        if outcome.violations and len(outcome.died_at) > 1:
            self.suspects += _halves(sorted(outcome.died_at))

    def open(self, points: Sequence[Point]) -> list[Point]:
        """Those that are still to be tried."""
        return [point for point in points if point not in self.killed and self.missed[point] < len(_COMPANY)]

    @property
    def not_met(self) -> list[Point]:
        """Points that were waited for and never came."""
        return [point for point in self.missed if point not in self.killed]

    @property
    def found(self) -> list[Violation]:
        """What was wrong; of what came again after fewer of the same deaths, only that."""
        return [one for one in self.violations if not any(other.points < one.points for other in self._with_deaths())]

    def _with_deaths(self) -> list[Violation]:
        return [violation for violation in self.violations if violation.points]


def _halves(points: Sequence[Point]) -> list[frozenset[Point]]:
    middle = len(points) // 2
    return [frozenset(points[:middle]), frozenset(points[middle:])]


Choice = Callable[[Tally], Sequence[Point]]
"""Which of the points that are known by now to try."""


def every(tally: Tally) -> Sequence[Point]:
    """All of them, also those that turn up later."""
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


def in_company(tally: Tally, points: Sequence[Point]) -> frozenset[Point]:
    """As many as may share a run, of those that were missed least often."""
    least = min(tally.missed[point] for point in points)
    most = _COMPANY[least]
    if most is None:
        return alone(tally, points)
    acts: dict[int, list[Point]] = {}
    for point in points:
        if tally.missed[point] == least:
            acts.setdefault(point.act, []).append(point)
    return frozenset(point for chosen in acts.values() for point in chosen[:most])


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
            if deadly is None:
                return
            tally.note(deadly, await once(place, deadly, tally.undisturbed))
            report(tally)
            if tally.undisturbed is None:
                # Nothing can be learned from deaths while the scenario does not come to its end without any.
                return


def _next(tally: Tally, choose: Choice, together: Together) -> frozenset[Point] | None:
    """Where the next run dies, nowhere in an undisturbed one; None when all is done."""
    if not tally.runs:
        return frozenset()
    if tally.suspects:
        return tally.suspects.pop(0)
    points = tally.open(choose(tally))
    if points:
        return together(tally, points)
    return frozenset() if choose is every and tally.undisturbed_runs < _CONFIRMATIONS else None


async def _stages(tally: Tally, servers: Servers, zygote: ForkServerContext) -> AsyncGenerator[Stage, None]:
    """A stage for each run: the same for up to BATCH of them; a new one after a violation, and after a point was missed:

    what is done once in an installation, as the first signing key, is met on a new one alone.
    """
    while True:
        violations, missed = len(tally.violations), tally.missed.total()
        async with stage(tally.service, servers, zygote) as place:
            for _ in range(BATCH):
                yield place
                if len(tally.violations) > violations or tally.missed.total() > missed:
                    break
