"""Which points of a service are tried? All that any life crossed, or some, or one; in small batches on one installation."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext

from tests.crashpoints.crossings import Crossing, Point
from tests.crashpoints.runs import Outcome, once
from tests.crashpoints.servers import Servers
from tests.crashpoints.stage import Stage, stage

BATCH = 20
"""Runs on one installation: the checker looks at all of them after each."""
_TRIES = 3
"""How often a point is waited for that other runs have crossed: how work falls into batches is a matter of chance."""
UNKNOWN = "(not crossed in any run)"


@dataclass(frozen=True)
class Violation:
    """Something was wrong after a run."""

    point: Point | None
    """None for the undisturbed run."""
    text: str


@dataclass
class Tally:
    """What is known of one service."""

    service: str
    known: dict[Point, Crossing] = field(default_factory=dict)
    killed: set[Point] = field(default_factory=set)
    missed: Counter[Point] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)
    runs: int = 0
    seconds: float = 0.0

    def note(self, deadly: Point | None, outcome: Outcome) -> None:
        """Keep what a run showed."""
        self.runs += 1
        self.seconds += outcome.seconds
        for point, crossing in outcome.journal.crossed.items():
            self.known.setdefault(point, crossing)
        if outcome.journal.died_at is not None:
            self.killed.add(outcome.journal.died_at)
        elif deadly is not None:
            self.missed[deadly] += 1
        self.violations += [Violation(deadly, text) for text in outcome.violations]

    @property
    def not_met(self) -> list[Point]:
        """Points that were waited for and never came."""
        return [point for point in self.missed if point not in self.killed]


Choice = Callable[[Tally], list[Point]]
"""Which of the points that are known by now to try."""


def every(tally: Tally) -> list[Point]:
    """All of them, also those that turn up on the way."""
    return [point for point in tally.known if point not in tally.killed and tally.missed[point] < _TRIES]


def some(number: int, seed: int) -> Choice:
    """So many of those that the undisturbed run crossed."""
    drawn: dict[str, list[Point]] = {}

    def choose(tally: Tally) -> list[Point]:
        if tally.service not in drawn:
            points = sorted(tally.known)
            drawn[tally.service] = random.Random(seed).sample(points, min(number, len(points)))
        return [point for point in drawn[tally.service] if point not in tally.killed and tally.missed[point] < _TRIES]

    return choose


def only(point: Point) -> Choice:
    """One, whether it is known or not."""

    def choose(tally: Tally) -> list[Point]:
        return [] if point in tally.killed or tally.missed[point] >= _TRIES else [point]

    return choose


def none(_tally: Tally) -> list[Point]:
    """Only the undisturbed run."""
    return []


async def campaign(
    service: str, servers: Servers, zygote: ForkServerContext, choose: Choice, report: Callable[[Tally], None]
) -> Tally:
    """Play an undisturbed run, and one for each point that is chosen; `report` is told after each."""
    tally, undisturbed = Tally(service), None
    async with aclosing(_stages(service, servers, zygote, tally)) as stages:
        async for place in stages:
            deadly = None if undisturbed is None else next(iter(choose(tally)), None)
            if undisturbed is not None and deadly is None:
                break
            outcome = await once(place, deadly, undisturbed)
            tally.note(deadly, outcome)
            report(tally)
            undisturbed = undisturbed or outcome.leftover
            if undisturbed is None:
                break
    return tally


async def _stages(service: str, servers: Servers, zygote: ForkServerContext, tally: Tally) -> AsyncIterator[Stage]:
    """A stage for each run: the same for up to BATCH of them, a new one after a violation."""
    while True:
        violations = len(tally.violations)
        async with stage(service, servers, zygote) as place:
            for _ in range(BATCH):
                yield place
                if len(tally.violations) > violations:
                    break
