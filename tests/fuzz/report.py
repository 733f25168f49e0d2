"""How are the findings told? A table of routes and statuses, and each failure with the calls that lead to it."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from tests.fuzz.findings import Findings


def print_findings(console: Console, findings: Findings, seconds: float) -> None:
    """Tell everything; what failed comes last, where it is seen."""
    table = Table("route", "calls", "statuses")
    for route in findings.routes():
        statuses = findings.of(route)
        told = ", ".join(f"{status or 'no answer'}: {count}" for status, count in sorted(statuses.items(), key=str))
        table.add_row(route, str(sum(statuses.values())), told)
    console.print(table)
    for kind, finding in findings.failures.items():
        console.print(f"\n{finding.route} · {finding.check} · {findings.times[kind]} times", style="bold red")
        for text in (finding.what, f"answered {finding.answer}" if finding.answer else "", finding.curl):
            if text:
                console.print(text, markup=False, soft_wrap=True)
    rate = findings.total / seconds
    console.print(
        f"{findings.total} calls of {len(findings.routes())} routes in {seconds:.0f} s ({rate:.0f}/s), "
        f"{len(findings.failures)} kinds of failures"
    )
