"""What does a benchmark tell? Rows: a figure of ours, that of a peer or a limit, their ratio, and what was wanted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

_KEPT = Path(__file__).parent / "results.json"
_LARGE, _MEDIUM = 100, 10


@dataclass(frozen=True)
class AtLeast:
    """The ratio has to reach a value."""

    ratio: float

    def holds(self, ratio: float) -> bool:
        return ratio >= self.ratio

    def __str__(self) -> str:
        return f">= {self.ratio:g} x"


@dataclass(frozen=True)
class AtMost:
    """The ratio must not pass a value."""

    ratio: float

    def holds(self, ratio: float) -> bool:
        return ratio <= self.ratio

    def __str__(self) -> str:
        return f"<= {self.ratio:g} x"


@dataclass(frozen=True)
class Row:
    """One line of the table. Where there is no peer, the figure is compared with a limit or with nothing."""

    measured: str
    unit: str
    ours: float
    against: str = ""
    theirs: float | None = None
    ratio: float | None = None
    wanted: str = ""
    met: bool | None = None
    note: str = ""


def compared(
    measured: str,
    unit: str,
    ours: float,
    against: str,
    theirs: float,
    wanted: AtLeast | AtMost | None = None,
    *,
    note: str = "",
) -> Row:
    """A figure beside that of a peer, and whether their ratio is as wanted."""
    ratio = ours / theirs
    met = None if wanted is None else wanted.holds(ratio)
    return Row(measured, unit, ours, against, theirs, ratio, "" if wanted is None else str(wanted), met, note)


def within(measured: str, unit: str, ours: float, limit: float, *, note: str = "") -> Row:
    """A figure that must stay under a limit."""
    return Row(measured, unit, ours, "limit", limit, ours / limit, f"< {limit:g} {unit}", ours < limit, note)


@dataclass(frozen=True)
class Results:
    """What a benchmark found, and on which terms."""

    rows: Sequence[Row]
    settings: dict[str, str]
    """The servers' versions and how durable they are, as they say themselves."""

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> Results:
        document = json.loads(path.read_text())
        return cls([Row(**row) for row in document["rows"]], document["settings"])


def keep(found: dict[str, Results], machine: dict[str, str], date: str) -> None:
    """Merge into the results that are kept: a benchmark that was not run this time keeps its last figures."""
    kept = json.loads(_KEPT.read_text()) if _KEPT.exists() else {}
    benchmarks = kept.get("benchmarks", {})
    for name, results in found.items():
        benchmarks[name] = {"date": date, "settings": results.settings, "rows": [_rounded(row) for row in results.rows]}
    document = {"machine": machine, "benchmarks": dict(sorted(benchmarks.items()))}
    _KEPT.write_text(json.dumps(document, indent=2) + "\n")


def _rounded(row: Row) -> dict[str, object]:
    return {
        name: float(f"{value:.4g}") if isinstance(value, float) else value
        for name, value in asdict(row).items()
        if value not in ("", None)
    }


def print_table(console: Console, rows: Iterable[tuple[str, Row]]) -> None:
    """All rows, each with its benchmark's name."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("benchmark", "measured"):
        table.add_column(column)
    for column in ("ours", "against", "theirs", "ratio", "wanted"):
        table.add_column(column, justify="left" if column == "against" else "right")
    table.add_column("")
    for name, row in rows:
        table.add_row(
            name, f"{row.measured}, {row.unit}", _figure(row.ours), row.against, _figure(row.theirs), _figure(row.ratio),
            row.wanted, {True: "[green]met", False: "[red]MISSED", None: ""}[row.met],
        )  # fmt: skip
        if row.note:
            table.add_row("", f"[dim]{row.note}")
    console.print(table)


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    if abs(value) >= _LARGE:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= _MEDIUM else f"{value:.2f}"
