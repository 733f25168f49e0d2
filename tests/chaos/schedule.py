"""Which faults are injected, and in which order? Drawn from a seed, so that a run can be repeated."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from random import Random

from tests.chaos.fault import Fault, Faults
from tests.chaos.servers import Layout


class UnknownKind(ValueError):
    """`--only` names a kind that there is not; the text says which there are."""


@dataclass(frozen=True)
class Injection:
    """One fault at its place in the schedule."""

    number: int
    fault: Fault
    seed: str
    """Of what the fault leaves to chance."""


@dataclass(frozen=True)
class Schedule:
    """All injections of a run, in order; those on the same servers follow each other."""

    seed: int
    injections: Sequence[Injection]

    def by_layout(self) -> Iterator[tuple[Layout, list[Injection]]]:
        """The injections of each site."""
        for layout, group in groupby(self.injections, key=lambda one: one.fault.layout):
            yield layout, list(group)

    @property
    def kinds(self) -> list[str]:
        """The kinds that it has, in alphabetical order."""
        return sorted({one.fault.kind for one in self.injections})


def kinds(faults: Faults) -> list[str]:
    """All kinds, in alphabetical order."""
    return sorted({fault.kind for fault in faults})


def of_kinds(faults: Faults, only: Collection[str]) -> Faults:
    """The faults of these kinds, or all where none is named. Raises UnknownKind."""
    unknown = sorted(set(only) - set(kinds(faults)))
    if unknown:
        raise UnknownKind(f"there is no kind {', '.join(unknown)}; there are {', '.join(kinds(faults))}")
    return [fault for fault in faults if not only or fault.kind in only]


def draw(faults: Faults, seed: int, count: int) -> Schedule:
    """`count` injections: first one of each kind, then whatever was not yet drawn, then all once more."""
    rng = Random(seed)
    drawn: list[Fault] = []
    while len(drawn) < count:
        drawn += _round(faults, rng)
    chosen = drawn[:count]
    layouts = list(dict.fromkeys(fault.layout for fault in faults))
    chosen.sort(key=lambda fault: layouts.index(fault.layout))
    return Schedule(seed, [Injection(n, fault, f"{seed}/{n}") for n, fault in enumerate(chosen, start=1)])


def _round(faults: Faults, rng: Random) -> list[Fault]:
    """Every fault once, in an order that has met each kind as early as can be."""
    shuffled = rng.sample(list(faults), len(faults))
    first = list({fault.kind: fault for fault in shuffled}.values())
    return first + [fault for fault in shuffled if fault not in first]
