"""How is the outcome told? A table and proofs for a person, or one JSON document for a program."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal

from rich.console import Console
from rich.table import Table

from fillstream.demo.outcome import Result
from fillstream.demo.proofs import Proof
from fillstream.demo.tenant import Tenant

_BLOCKS = "▁▂▃▄▅▆▇█"
_SPARKS = 16


def sparkline(values: Sequence[Decimal], width: int = _SPARKS) -> str:
    """The values as a line of blocks, at most `width` of them, from the lowest to the highest."""
    if not values:
        return ""
    count = min(width, len(values))
    picked = [values[index * (len(values) - 1) // max(count - 1, 1)] for index in range(count)]
    low, high = min(picked), max(picked)
    span = high - low or Decimal(1)
    return "".join(_BLOCKS[int((value - low) / span * (len(_BLOCKS) - 1))] for value in picked)


def _percent(fraction: str | None) -> str:
    return "-" if fraction is None else f"{Decimal(fraction) * 100:.2f} %"


def _rounded(ratio: str | None) -> str:
    return "-" if ratio is None else f"{Decimal(ratio):.3f}"


def _money(amount: str) -> str:
    return f"{Decimal(amount):,.2f}"


def print_results(console: Console, results: Mapping[str, Result]) -> None:
    """A column for each workspace."""
    table = Table(title="Daily bars from 2011-03-01 to 2013-03-01; amounts in USD", title_justify="left")
    table.add_column("")
    for name in results:
        table.add_column(name, justify="right")
    outcomes = [result.outcome for result in results.values()]
    rows = {
        "signals": [str(o.signals) for o in outcomes],
        "orders": [str(o.orders) for o in outcomes],
        "fills": [str(o.fills) for o in outcomes],
        "fees": [_money(o.fees) for o in outcomes],
        "realised P&L": [_money(o.realised_pnl) for o in outcomes],
        "unrealised P&L": [_money(o.unrealised_pnl) for o in outcomes],
        "equity": [_money(o.equity) for o in outcomes],
        "total return": [_percent(o.total_return) for o in outcomes],
        "Sharpe": [_rounded(o.sharpe) for o in outcomes],
        "maximum drawdown": [_percent(o.max_drawdown) for o in outcomes],
        "equity, day by day": [sparkline(result.history) for result in results.values()],
    }
    for name, cells in rows.items():
        table.add_row(name, *cells)
    console.print(table)


def print_proofs(console: Console, proofs: Sequence[Proof]) -> None:
    """A line for each proof; what does not hold is told below it."""
    for proof in proofs:
        console.print(
            f"{'[green]holds[/]' if proof.holds else '[red]fails[/]'}  {proof.statement} ({proof.looked_at})",
            soft_wrap=True,
        )
        for violation in proof.violations[:10]:
            console.print(f"       {violation}", style="red", highlight=False)


def print_json(results: Mapping[str, Result], proofs: Sequence[Proof], events: int, seconds: float) -> None:
    """One document on standard output."""
    document = {
        "workspaces": {name: _document(result) for name, result in results.items()},
        "proofs": {proof.name: proof.holds for proof in proofs},
        "events": events,
        "seconds": round(seconds, 1),
    }
    print(json.dumps(document, indent=2))  # noqa: T201 the document is the output


def _document(result: Result) -> dict[str, object]:
    """Money stays text; ratios are numbers."""
    ratios = ("total_return", "sharpe", "max_drawdown")
    fields = asdict(result.outcome)
    return fields | {name: None if fields[name] is None else float(fields[name]) for name in ratios}


def print_ways_on(console: Console, url: str, tenants: Sequence[Tenant]) -> None:
    """Where the API is, and a request for each workspace."""
    console.print(f"\nEverything is still running. The API's documentation: {url}/docs   (Ctrl-C ends it)")
    for tenant in tenants:
        console.print(f"\n[bold]{tenant.workspace.name}[/] (the token is good for ten minutes)")
        console.print(
            f"curl -H 'Authorization: Bearer {tenant.token}' {url}/v1/positions", highlight=False, soft_wrap=True
        )
