"""What came of a run? A table by kind, and every loss in a line of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.console import Console
from rich.table import Table

from tests.chaos.fault import Wanted
from tests.chaos.schedule import Injection, Schedule

_SHOWN = 20


@dataclass(frozen=True)
class Result:
    """What came of one injection."""

    injection: Injection
    resumed_seconds: float | None
    """None when no progress resumed."""
    lost: tuple[str, ...] = ()
    double: tuple[str, ...] = ()
    violations: tuple[str, ...] = ()
    skipped: str = ""
    """Why it could not be injected on this machine, where it could not."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong; how long it took is not a question of that."""
        harmed = self.lost or self.double or self.violations
        return bool(self.skipped) or (not harmed and self.resumed_seconds is not None)

    def line(self) -> str:
        """One line, as it is printed while the run goes on."""
        if self.skipped:
            return f"{self.injection.number:3} {self.injection.fault.name:34} skipped: {self.skipped}"
        resumed = "never" if self.resumed_seconds is None else f"{self.resumed_seconds:.1f} s"
        counts = f"{len(self.lost)} lost, {len(self.double)} double, {len(self.violations)} violations"
        return f"{self.injection.number:3} {self.injection.fault.name:34} resumed {resumed:>7}, {counts}"

    def complaints(self) -> list[str]:
        """Every loss, double and violation, the first of each."""
        named = (("lost", self.lost), ("double", self.double), ("violation", self.violations))
        return [f"    {name}: {what}" for name, found in named for what in found[:_SHOWN]]


@dataclass(frozen=True)
class Row:
    """All injections of one kind."""

    kind: str
    results: Sequence[Result]

    @property
    def seconds(self) -> list[float]:
        """How long it took until progress resumed, the shortest first; endless where it did not."""
        return sorted(math.inf if one.resumed_seconds is None else one.resumed_seconds for one in self.results)

    def cells(self) -> list[str]:
        """As the table has it."""
        return [
            self.kind, str(len(self.results)),
            *(str(sum(len(found) for found in column)) for column in self._found()),
            *(f"{percentile(self.seconds, share):.1f}" for share in (0.5, 0.99, 1.0)),
            self.verdict(),
        ]  # fmt: skip

    def _found(self) -> list[list[tuple[str, ...]]]:
        return [[getattr(one, name) for one in self.results] for name in ("lost", "double", "violations")]

    def verdict(self) -> str:
        """Whether progress resumed as soon as is wanted."""
        wanted = self.results[0].injection.fault.wanted.value
        if wanted is None:
            return "-"
        return f"{'met' if percentile(self.seconds, 0.99) <= wanted else 'missed'} ({wanted:.0f})"


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of values in ascending order."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def rows(results: Sequence[Result]) -> list[Row]:
    """The results by kind."""

    def kind(result: Result) -> str:
        return result.injection.fault.kind

    return [Row(name, list(group)) for name, group in groupby(sorted(results, key=kind), key=kind)]


def print_schedule(console: Console, schedule: Schedule) -> None:
    """Say what will be done, and how to do it again."""
    count = len(schedule.injections)
    console.print(f"seed {schedule.seed}: {count} injections over {len(schedule.kinds)} kinds", highlight=False)
    for one in schedule.injections:
        console.print(f"{one.number:3} {one.fault.name} ({one.fault.kind})", style="dim", highlight=False)


def print_results(console: Console, schedule: Schedule, results: Sequence[Result]) -> None:
    """The table, and what is wanted of all that waited for the same; what was skipped is in neither."""
    results = [one for one in results if not one.skipped]
    table = Table("kind", "injections", "lost", "double", "violations", "p50 s", "p99 s", "max s", "wanted")
    for row in rows(results):
        table.add_row(*row.cells())
    console.print(table)
    for wanted in Wanted:
        waited = Row(wanted.name, [one for one in results if one.injection.fault.wanted is wanted])
        if waited.results and wanted.value is not None:
            name = wanted.name.lower().replace("_", " ")
            p99 = f"p99 {percentile(waited.seconds, 0.99):.1f} s"
            console.print(f"{name}: {len(waited.results)} injections, {p99}, {waited.verdict()}", highlight=False)
    kinds = len({one.injection.fault.kind for one in results})
    console.print(f"seed {schedule.seed}: {len(results)} injections over {kinds} kinds", highlight=False)
