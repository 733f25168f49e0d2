"""How is the result told? A table of service x kind of crossing, then each violation with the crossing that led to it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from tests.crashpoints.acts import ACTS
from tests.crashpoints.campaign import Tally, Violation
from tests.crashpoints.crossings import Kind, Point

_HEADINGS = ("service", "crossing", "kinds", "points", "killed", "not met", "violations")
_WIDTH = 200


def table(tallies: Sequence[Tally]) -> str:
    """A line for each service and kind, and one for each service."""
    rows = [_HEADINGS, *(row for tally in tallies for row in _rows(tally))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (
        text.ljust(width) if column < 2 else text.rjust(width)
        for column, (text, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join(cells).rstrip()


def _rows(tally: Tally) -> Iterator[tuple[str, ...]]:
    for kind in Kind:
        points = {point for point, crossing in tally.known.items() if crossing.kind is kind}
        if points:
            yield _row(tally, kind, points)
    yield _row(tally, f"all, in {tally.runs} runs", set(tally.known))


def _row(tally: Tally, name: str, points: set[Point]) -> tuple[str, ...]:
    bad = frozenset[Point]().union(*(violation.points for violation in tally.found))
    counts = (
        {point.crossing_id for point in points},
        points,
        points & tally.killed,
        points.intersection(tally.not_met),
        points & bad,
    )
    return (tally.service, name, *(str(len(count)) for count in counts))


def listing(tally: Tally) -> str:
    """Every point that the undisturbed run crossed, in its order."""
    lines = (
        f"{tally.service:13} {point!s:12} {ACTS[point.act - 1].__name__:24} {crossing.kind:20} {crossing.what}"
        for point, crossing in tally.known.items()
    )
    return "\n".join(textwrap.shorten(line, _WIDTH) if len(line) > _WIDTH else line for line in lines)


def violations(tally: Tally) -> str:
    """What was wrong, and after which deaths."""
    return "\n".join(f"{_where(tally, one)}\n    {one.text}" for one in tally.found)


def not_met(tally: Tally) -> str:
    """Every crossing at which it was to die and never did, in no act; others it met in one act and not in another."""
    met = {point.crossing_id for point in tally.killed}
    missed = {point.crossing_id: point for point in sorted(tally.not_met, reverse=True) if point.crossing_id not in met}
    return "\n".join(f"{tally.service} never died at {point} ({_crossing(tally, point)})" for point in missed.values())


def _where(tally: Tally, violation: Violation) -> str:
    deaths = [f"{point} ({_crossing(tally, point)})" for point in sorted(violation.points)]
    return f"{tally.service}, {'killed at ' + ', '.join(deaths) if deaths else 'with no death'}:"


def _crossing(tally: Tally, point: Point) -> str:
    crossing = tally.known.get(point)
    return f"{ACTS[point.act - 1].__name__}: {crossing.kind}: {crossing.what}" if crossing else "only in this run"
