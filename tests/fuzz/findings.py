"""What came of the calls? How many of each route met which status, and each kind of failure once, with a way to it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which a route failed a check."""

    route: str
    check: str
    what: str
    answer: str
    """Status and the beginning of the body."""
    curl: str
    """One request a line, the failing one last."""

    @property
    def kind(self) -> tuple[str, str, str]:
        """What makes two of them the same: route, check and the first line of what is wrong."""
        return self.route, self.check, self.what.partition("\n")[0]


@dataclass
class Findings:
    """Collected over a run."""

    calls: Counter[tuple[str, int | None]] = field(default_factory=Counter)
    """By route and status; None when no answer came."""
    failures: dict[tuple[str, str, str], Finding] = field(default_factory=dict)
    times: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """How many calls were made."""
        return self.calls.total()

    def add(self, finding: Finding) -> None:
        """Keep the first of each kind."""
        self.failures.setdefault(finding.kind, finding)
        self.times[finding.kind] += 1

    def of(self, route: str) -> dict[int | None, int]:
        """The statuses that a route answered with."""
        return {status: count for (which, status), count in self.calls.items() if which == route}

    def routes(self) -> list[str]:
        """The routes that were called, by path and method."""
        return sorted({route for route, _ in self.calls}, key=lambda route: route.split()[::-1])
