"""What came of a demo is told exactly: as a picture, as a table, as a document, and as proofs."""

from __future__ import annotations

import io
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from fillstream.demo.outcome import Fill, Outcome, Result
from fillstream.demo.proofs import Proof
from fillstream.demo.report import print_json, print_proofs, print_results, sparkline

FILL = Fill("AAPL", "BUY", "100", "353.50", "35.35", "2011-05-13T00:00:00Z")
OUTCOME = Outcome(
    trades=[FILL], fees="35.35", realised_pnl="0.00", unrealised_pnl="1234567.10", equity="101199.25",
    total_return="0.0119925", sharpe="0.6543219", max_drawdown="-0.0512", signals=1, orders=1, fills=1,
)  # fmt: skip
NOTHING = Outcome([], "0.00", "0.00", "0.00", "100000.00", None, None, None, 0, 0, 0)
RESULTS = {
    "trend": Result(OUTCOME, [Decimal(100_000), Decimal("101199.25")]),
    "reversion": Result(NOTHING, []),
}
PROOFS = [
    Proof("books_balance", "debits equal credits", "12 postings", ()),
    Proof("events_consumed_once", "consumed once", "3 events", tuple(f"event {n} is lost" for n in range(12))),
]


def a_console() -> Console:
    return Console(file=io.StringIO(), width=120, no_color=True)


def said(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_rise_and_a_fall_are_seen() -> None:
    assert sparkline([Decimal(value) for value in range(8)]) == "▁▂▃▄▅▆▇█"
    assert sparkline([Decimal(value) for value in (7, 0, 7)]) == "█▁█"


def test_what_never_moves_is_a_line_and_nothing_is_nothing() -> None:
    assert sparkline([Decimal(5)] * 3) == "▁▁▁"
    assert sparkline([]) == ""


@given(st.lists(st.decimals(-(10**9), 10**9, places=2), min_size=1, max_size=600), st.integers(1, 64))
def test_a_sparkline_fits_and_shows_the_first_value(values: list[Decimal], width: int) -> None:
    line = sparkline(values, width)
    assert len(line) == min(len(values), width)
    assert set(line) <= set("▁▂▃▄▅▆▇█")
    assert "▁" in line
    if len(line) > 1:
        assert (line[0] < line[-1]) <= (values[0] < values[-1])
        assert (line[0] > line[-1]) <= (values[0] > values[-1])


def test_the_table_has_a_column_for_each_workspace() -> None:
    console = a_console()
    print_results(console, RESULTS)
    figures = [[cell.strip() for cell in line.split("│")[1:-1]] for line in said(console).splitlines()]
    told = [cells for cells in figures if len(cells) == 3]
    for words, *cells in (
        ["fills", "1", "0"],
        ["fees", "35.35", "0.00"],
        ["unrealised P&L", "1,234,567.10", "0.00"],
        ["equity", "101,199.25", "100,000.00"],
        ["total return", "1.20 %", "-"],
        ["Sharpe", "0.654", "-"],
        ["maximum drawdown", "-5.12 %", "-"],
        ["equity", "▁█", ""],
    ):
        assert any(row[0].startswith(words) and row[1:] == cells for row in told), (words, told)


def test_the_document_has_money_as_text_and_ratios_as_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(RESULTS, PROOFS, events=3, seconds=1.26)
    document = json.loads(capsys.readouterr().out)
    assert set(document) == {"workspaces", "proofs", "events", "seconds"}
    assert document["proofs"] == {"books_balance": True, "events_consumed_once": False}
    assert (document["events"], document["seconds"]) == (3, 1.3)
    assert document["workspaces"]["trend"] == {
        "trades": [
            {
                "symbol": "AAPL",
                "side": "BUY",
                "quantity": "100",
                "price": "353.50",
                "fee": "35.35",
                "time": "2011-05-13T00:00:00Z",
            }
        ],
        "fees": "35.35",
        "realised_pnl": "0.00",
        "unrealised_pnl": "1234567.10",
        "equity": "101199.25",
        "total_return": 0.0119925,
        "sharpe": 0.6543219,
        "max_drawdown": -0.0512,
        "signals": 1,
        "orders": 1,
        "fills": 1,
    }
    assert document["workspaces"]["reversion"]["sharpe"] is None


def test_a_proof_that_fails_says_why_but_not_without_end() -> None:
    console = a_console()
    print_proofs(console, PROOFS)
    lines = said(console).splitlines()
    assert lines[:2] == ["holds  debits equal credits (12 postings)", "fails  consumed once (3 events)"]
    assert [line.strip() for line in lines[2:]] == [f"event {n} is lost" for n in range(10)]
