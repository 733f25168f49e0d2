"""How is it told? A line for every fault as it ends, and a table of fault and finder at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.mutants.campaign import Result
from tests.mutants.fault import Fault
from tests.mutants.trial import Ruling, Verdict

_COLOURS = {Verdict.CAUGHT: "green", Verdict.SURVIVED: "red", Verdict.VOID: "red"}


def show_faults(faults: Sequence[Fault], console: Console) -> None:
    """What can be planted."""
    table = Table("fault", "what is wrong", "has to be caught by")
    for fault in faults:
        table.add_row(fault.name, escape(fault.says), escape("\n".join(fault.caught_by)))
    console.print(table)


def show_progress(fault: Fault, ruling: Ruling, console: Console) -> None:
    """One fault has ended."""
    console.print(f"{fault.name}: {_verdict(ruling)} {ruling.seconds:.0f} s", highlight=False)


def show_results(results: Sequence[Result], console: Console) -> None:
    """Fault x finder, and in one line how it went."""
    table = Table("fault", "what is wrong", "verdict", "caught by", "seconds", title="Planted faults")
    for result in results:
        fault, ruling = result.fault, result.ruling
        table.add_row(
            fault.name, escape(fault.says), _verdict(ruling), escape(ruling.caught_by), f"{ruling.seconds:.1f}"
        )
    console.print(table)
    for result in results:
        if result.ruling.verdict is not Verdict.CAUGHT:
            said = escape(f"{result.fault.name}: {result.ruling.reason}")
            console.print(f"{_verdict(result.ruling)} {said}", highlight=False, soft_wrap=True)
    counts = Counter(result.ruling.verdict for result in results)
    console.print(
        f"{len(results)} faults: " + ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict), highlight=False
    )


def _verdict(ruling: Ruling) -> str:
    return f"[{_COLOURS[ruling.verdict]}]{ruling.verdict}[/]"
