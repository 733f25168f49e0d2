"""Do the books balance, whatever is posted?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.schema.values import Side
from services.portfolio.ledger import (
    Chart,
    EntryKind,
    JournalEntry,
    Occasion,
    Posting,
    Unbalanced,
    Units,
    deposit_entry,
    fill_entry,
    totals,
)
from services.portfolio.positions import Holding, Trade
from tests.portfolio.builders import PAID_TRADES, PRICES

AT = datetime(2012, 1, 3, 14, 30, tzinfo=UTC)
OCCASION = Occasion(UUID(int=1), UUID(int=2), AT, "USD", UUID(int=3))
INITIAL = Decimal(100_000)


def entries_of(trades: Sequence[tuple[Trade, Decimal]]) -> tuple[Holding, list[JournalEntry]]:
    """The holding and the journal after a deposit and `trades` in one symbol."""
    holding, journal = Holding(), [deposit_entry(OCCASION, INITIAL)]
    for trade, commission in trades:
        change = holding.after(trade)
        journal.append(fill_entry(OCCASION, "AAPL", trade, change, commission))
        holding = change.holding
    return holding, journal


def balance(journal: Sequence[JournalEntry], ledger_account: Chart) -> Decimal:
    postings = (posting for entry in journal for posting in entry.postings)
    return sum((posting.amount for posting in postings if posting.ledger_account is ledger_account), Decimal(0))


@given(st.lists(PAID_TRADES, max_size=30))
def test_debits_equal_credits_after_any_trades(trades: list[tuple[Trade, Decimal]]) -> None:
    _, journal = entries_of(trades)
    assert totals([posting for entry in journal for posting in entry.postings]) == {"USD": 0}


@given(st.lists(PAID_TRADES, max_size=30), PRICES)
def test_equity_is_deposits_and_gains_less_fees_to_the_last_decimal(
    trades: list[tuple[Trade, Decimal]], mark: Decimal
) -> None:
    holding, journal = entries_of(trades)
    realised, fees = -balance(journal, Chart.REALISED_PNL), balance(journal, Chart.COMMISSIONS)
    equity = balance(journal, Chart.CASH) + holding.market_value(mark)
    assert INITIAL + realised + holding.unrealised_pnl(mark) - fees == equity


@given(st.lists(PAID_TRADES, max_size=30))
def test_the_positions_account_holds_the_cost_of_the_holding(trades: list[tuple[Trade, Decimal]]) -> None:
    holding, journal = entries_of(trades)
    assert balance(journal, Chart.POSITIONS) == holding.cost_basis


@given(st.lists(PAID_TRADES, max_size=30))
def test_cash_is_what_was_paid_in_less_what_was_paid_out(trades: list[tuple[Trade, Decimal]]) -> None:
    _, journal = entries_of(trades)
    paid = sum((t.side.sign * (t.quantity * t.price).quantize(Decimal("1E-8")) + fee for t, fee in trades), Decimal(0))
    assert balance(journal, Chart.CASH) == INITIAL - paid


def test_a_deposit_debits_cash_and_credits_the_owner() -> None:
    entry = deposit_entry(OCCASION, INITIAL)
    assert entry.description == "Deposited 100000.00 USD"
    assert entry.postings == (
        Posting(Chart.CASH, "USD", INITIAL),
        Posting(Chart.DEPOSITS, "USD", -INITIAL),
    )


def test_a_sale_books_proceeds_cost_gain_and_commission() -> None:
    trade = Trade(Side.SELL, Decimal(40), Decimal(12))
    change = Holding(Decimal(100), Decimal(1000)).after(trade)
    entry = fill_entry(OCCASION, "AAPL", trade, change, Decimal("0.48"))
    assert entry.description == "Sold 40 AAPL at 12.00 USD"
    assert entry.postings == (
        Posting(Chart.CASH, "USD", Decimal("479.52")),
        Posting(Chart.POSITIONS, "USD", Decimal(-400), Units("AAPL", Decimal(-40))),
        Posting(Chart.REALISED_PNL, "USD", Decimal(-80)),
        Posting(Chart.COMMISSIONS, "USD", Decimal("0.48")),
    )


def test_an_opening_fill_without_commission_has_two_sides_only() -> None:
    trade = Trade(Side.BUY, Decimal(1), Decimal(10))
    entry = fill_entry(OCCASION, "AAPL", trade, Holding().after(trade), Decimal(0))
    assert entry.description == "Bought 1 AAPL at 10.00 USD"
    assert [posting.ledger_account for posting in entry.postings] == [Chart.CASH, Chart.POSITIONS]


@pytest.mark.parametrize(
    "postings",
    [
        (),
        (Posting(Chart.CASH, "USD", Decimal(0)),),
        (Posting(Chart.CASH, "USD", Decimal(1)), Posting(Chart.DEPOSITS, "USD", Decimal("-1.00000001"))),
        (Posting(Chart.CASH, "USD", Decimal(1)), Posting(Chart.DEPOSITS, "EUR", Decimal(-1))),
    ],
    ids=["nothing", "one side", "off by the smallest unit", "balanced only across currencies"],
)
def test_an_entry_that_does_not_balance_is_refused(postings: tuple[Posting, ...]) -> None:
    with pytest.raises(Unbalanced, match="Sprocket"):
        JournalEntry(UUID(int=1), UUID(int=2), AT, EntryKind.FILL, "Sprocket", UUID(int=3), postings)


@pytest.mark.parametrize(
    ("ledger_account", "units"), [(Chart.POSITIONS, None), (Chart.CASH, Units("AAPL", Decimal(1)))]
)
def test_only_positions_are_posted_per_symbol(ledger_account: Chart, units: Units | None) -> None:
    with pytest.raises(ValueError, match="per symbol"):
        Posting(ledger_account, "USD", Decimal(1), units)
