"""How is the result told? A table of service x kind of crossing, then each violation with the crossing that led to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.crashpoints.campaign import Tally, Violation
from tests.crashpoints.crossings import Kind

_HEADINGS = ("service", "crossing", "kinds", "points", "killed", "not met", "violations")
_WIDTH = 110


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
    yield _row(tally, f"all in {tally.runs} runs", set(tally.known))


def _row(tally: Tally, name: str, points: set) -> tuple[str, ...]:
    bad = {violation.point for violation in tally.violations}
    return (
        tally.service,
        name,
        str(len({point.crossing_id for point in points})),
        str(len(points)),
        str(len(points & tally.killed)),
        str(len(points.intersection(tally.not_met))),
        str(len(points & bad)),
    )


def listing(tally: Tally) -> str:
    """Every point that the undisturbed run crossed, in its order."""
    lines = (
        f"{tally.service:14} {point!s:11} {crossing.kind:20} {crossing.what}" for point, crossing in tally.known.items()
    )
    return "\n".join(line[: _WIDTH + 40] for line in lines)


def violations(tally: Tally) -> str:
    """What was wrong, and after which death."""
    return "\n".join(f"{_where(tally, one)}\n    {one.text}" for one in tally.violations)


def _where(tally: Tally, violation: Violation) -> str:
    if violation.point is None:
        return f"{tally.service}, undisturbed"
    crossing = tally.known.get(violation.point)
    what = f"{crossing.kind}: {crossing.what}" if crossing else "not crossed in this run"
    return f"{tally.service}, killed at {violation.point} ({what})"
