"""Where did the money go? Double entry: every entry's debits equal its credits, in every currency.

Each trading account has a chart of its own: cash, positions at cost (one ledger account per symbol), realised P&L,
commissions and deposits. Debits are positive, credits negative.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from libs.schema.values import Currency, Side, Symbol, plain, plain_money
from services.portfolio.positions import Change, Trade


class Chart(StrEnum):
    """The ledger accounts of one trading account."""

    CASH = "cash"
    """Asset."""
    POSITIONS = "positions"
    """Asset, at cost without fees, one per symbol; a short position is a credit."""
    REALISED_PNL = "realised_pnl"
    """Income before fees: gains are credits, losses debits."""
    COMMISSIONS = "commissions"
    """Expense."""
    DEPOSITS = "deposits"
    """Equity: what the owner brought in."""


class EntryKind(StrEnum):
    """What an entry is about."""

    DEPOSIT = "deposit"
    """Counts from the beginning of the account's history, whatever its time: replays are in the past."""
    FILL = "fill"


@dataclass(frozen=True, slots=True)
class Units:
    """How many units of which instrument a posting moves; received positive, delivered negative."""

    symbol: Symbol
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Posting:
    """One line of an entry: an amount in a ledger account, debit positive, credit negative."""

    ledger_account: Chart
    currency: Currency
    amount: Decimal
    units: Units | None = None
    """What is held for the amount; only positions have it."""

    def __post_init__(self) -> None:
        """Check that positions name their instrument and nothing else does. Raises ValueError."""
        if (self.ledger_account is Chart.POSITIONS) is not (self.units is not None):
            raise ValueError(f"positions are posted per symbol and nothing else is, got {self.ledger_account}")


class Unbalanced(ValueError):
    """Debits and credits of an entry differ, or the entry has fewer than two sides."""

    def __init__(self, description: str, postings: Sequence[Posting]) -> None:
        sums = ", ".join(f"{currency} {plain(total)}" for currency, total in sorted(totals(postings).items()))
        super().__init__(f"{description}: {len(postings)} postings that sum to {sums or 'nothing'}")


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One thing that happened to an account's money, and the event that says so. Raises Unbalanced."""

    id: UUID
    account_id: UUID
    time: datetime
    """When it happened in the world, not when it was written."""
    kind: EntryKind
    description: str
    event_id: UUID
    """The event that caused the entry; no event causes two."""
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        """Check that debits equal credits."""
        if len(self.postings) < 2 or any(totals(self.postings).values()):  # noqa: PLR2004 the two of double entry
            raise Unbalanced(self.description, self.postings)


def totals(postings: Sequence[Posting]) -> dict[Currency, Decimal]:
    """Debits less credits in each currency; zero throughout when the books balance."""
    sums: defaultdict[Currency, Decimal] = defaultdict(Decimal)
    for posting in postings:
        sums[posting.currency] += posting.amount
    return dict(sums)


@dataclass(frozen=True, slots=True)
class Occasion:
    """What every entry has, whatever it posts: identity, place, time, currency and cause."""

    entry_id: UUID
    account_id: UUID
    time: datetime
    currency: Currency
    event_id: UUID


def deposit_entry(occasion: Occasion, amount: Decimal) -> JournalEntry:
    """Cash comes in from the owner."""
    currency = occasion.currency
    return _entry(
        occasion,
        EntryKind.DEPOSIT,
        f"Deposited {plain_money(amount)} {currency}",
        Posting(Chart.CASH, currency, amount),
        Posting(Chart.DEPOSITS, currency, -amount),
    )


def fill_entry(occasion: Occasion, symbol: Symbol, trade: Trade, change: Change, commission: Decimal) -> JournalEntry:
    """A fill exchanges cash for a position at cost; what closing it gained is income, what it cost is an expense."""
    currency = occasion.currency
    cost = change.notional + change.realised_pnl
    units = Units(symbol, trade.side.sign * trade.quantity)
    verb = "Bought" if trade.side is Side.BUY else "Sold"
    optional = (
        Posting(Chart.REALISED_PNL, currency, -change.realised_pnl),
        Posting(Chart.COMMISSIONS, currency, commission),
    )
    return _entry(
        occasion,
        EntryKind.FILL,
        f"{verb} {plain(trade.quantity)} {symbol} at {plain_money(trade.price)} {currency}",
        Posting(Chart.CASH, currency, -change.notional - commission),
        Posting(Chart.POSITIONS, currency, cost, units),
        *(posting for posting in optional if posting.amount),
    )


def _entry(occasion: Occasion, kind: EntryKind, description: str, *postings: Posting) -> JournalEntry:
    return JournalEntry(
        id=occasion.entry_id,
        account_id=occasion.account_id,
        time=occasion.time,
        kind=kind,
        description=description,
        event_id=occasion.event_id,
        postings=postings,
    )
