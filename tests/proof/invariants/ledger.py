"""Is the money right? Recomputed from the broker's fills alone, in plain code, for orders and for portfolio."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import NamedTuple
from uuid import UUID

from tests.proof.invariants.evidence import Evidence
from tests.proof.invariants.violation import Invariant

ZERO = Decimal(0)
UNIT = Decimal("1E-8")
"""The smallest amount that is kept."""
EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)


class Fill(NamedTuple):
    """What the broker says that it did."""

    id: UUID
    account_id: UUID
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    commission: Decimal
    time: datetime
    told_by: UUID | None
    """The event."""

    @property
    def signed(self) -> Decimal:
        """The quantity, of a sale negative."""
        return self.quantity if self.side == "BUY" else -self.quantity

    @property
    def cash(self) -> Decimal:
        """What the account's cash changes by."""
        return -money(self.signed, self.price) - self.commission


@dataclass
class Account:
    """What an account has, by its first cash and its fills."""

    cash: Decimal
    fees: Decimal = ZERO
    held: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))


def money(quantity: Decimal, price: Decimal) -> Decimal:
    """What a quantity is worth at a price, rounded half-even to the 8 decimals that are kept."""
    return EXACT.quantize(EXACT.multiply(quantity, price), UNIT)


def after(fills: Iterable[Fill], opened: Mapping[UUID, Decimal]) -> dict[UUID, Account]:
    """What the fills make of accounts that were opened with some cash."""
    accounts = {id_: Account(cash) for id_, cash in opened.items()}
    for fill in fills:
        account = accounts.setdefault(fill.account_id, Account(ZERO))
        account.cash += fill.cash
        account.fees += fill.commission
        account.held[fill.symbol] += fill.signed
    return accounts


async def fills(evidence: Evidence) -> list[Fill]:
    """Every fill of the broker."""
    rows = await evidence.database.fetch(
        """
        SELECT f.id, account_id, symbol, side, last_quantity, last_price, commission, executed_at, told.event_id
        FROM orders.fill f LEFT JOIN (
            SELECT DISTINCT ON (1) (data::jsonb->>'fill_id')::uuid AS fill_id, event_id FROM orders.event_log
            WHERE type LIKE 'orders.OrderFilled.%' ORDER BY 1, sequence
        ) told ON fill_id = f.id
        ORDER BY executed_at, f.id
        """
    )
    return [Fill(*row) for row in rows]


async def first_cash(evidence: Evidence) -> dict[UUID, Decimal]:
    """What each account was opened with."""
    return dict(await evidence.database.fetch("SELECT id, initial_cash FROM orders.account"))


async def fills_in_portfolio(evidence: Evidence) -> list[Fill]:
    """The fills without those whose events are dead letters of portfolio: those it can't know of yet."""
    dead = {evidence.event_of(letter) for letter in evidence.letters["portfolio"]} - evidence.taken["portfolio"].keys()
    dead |= evidence.discarded("portfolio")
    return [fill for fill in await fills(evidence) if fill.told_by is None or fill.told_by not in dead]


async def debits_equal_credits(evidence: Evidence) -> list[str]:
    """Postings add up to zero in every workspace and currency, and in every entry."""
    by_workspace = await evidence.database.fetch(
        "SELECT tenant_id, currency, sum(amount) FROM portfolio.posting GROUP BY 1, 2 HAVING sum(amount) <> 0"
    )
    by_entry = await evidence.database.fetch(
        "SELECT entry_id, currency, sum(amount) FROM portfolio.posting GROUP BY 1, 2 HAVING sum(amount) <> 0"
    )
    return [f"workspace {row[0]}: debits less credits are {row[2]} {row[1]}" for row in by_workspace] + [
        f"entry {row[0]}: debits less credits are {row[2]} {row[1]}" for row in by_entry
    ]


async def the_brokers_accounts_follow_from_the_fills(evidence: Evidence) -> list[str]:
    """Cash and positions of the broker's accounts are those that the fills lead to."""
    accounts = after(await fills(evidence), await first_cash(evidence))
    cash = dict(await evidence.database.fetch("SELECT id, cash FROM orders.account"))
    held = await evidence.database.fetch("SELECT account_id, symbol, quantity FROM orders.position")
    return [*_wrong_cash(accounts, cash), *_wrong_holdings(accounts, held)]


async def the_portfolio_follows_from_the_fills(evidence: Evidence) -> list[str]:
    """Cash, fees and positions of the portfolio are those that the fills lead to."""
    books = await evidence.database.fetch("SELECT id, cash, fees FROM portfolio.book")
    opened = {id_: cash for id_, cash in (await first_cash(evidence)).items() if id_ in {row[0] for row in books}}
    accounts = after(await fills_in_portfolio(evidence), opened)
    held = await evidence.database.fetch("SELECT account_id, symbol, quantity FROM portfolio.position")
    fees = [
        f"account {id_}: {fees} were paid in fees, {accounts[id_].fees} by the fills"
        for id_, _, fees in books
        if id_ in accounts and fees != accounts[id_].fees
    ]
    return [*fees, *_wrong_cash(accounts, {row[0]: row[1] for row in books}), *_wrong_holdings(accounts, held)]


def _wrong_cash(accounts: Mapping[UUID, Account], cash: Mapping[UUID, Decimal]) -> list[str]:
    by_fills = {id_: account.cash for id_, account in accounts.items()}
    return [
        f"account {id_}: cash is {cash.get(id_)}, by the fills {by_fills.get(id_)}"
        for id_ in by_fills.keys() | cash.keys()
        if cash.get(id_) != by_fills.get(id_)
    ]


def _wrong_holdings(accounts: Mapping[UUID, Account], rows: Sequence[Sequence[object]]) -> list[str]:
    held = {(row[0], row[1]): row[2] for row in rows}
    by_fills = {(id_, symbol): quantity for id_, one in accounts.items() for symbol, quantity in one.held.items()}
    return [
        f"account {place[0]}: holds {held.get(place)} {place[1]}, by the fills {by_fills.get(place)}"
        for place in by_fills.keys() | held.keys()
        if held.get(place, ZERO) != by_fills.get(place, ZERO)
    ]


async def the_ledger_equals_the_brokers_book(evidence: Evidence) -> list[str]:
    """Each execution at the broker is one entry of the ledger, of the same cash, quantity and commission."""
    rows = await evidence.database.fetch(
        """
        SELECT e.event_id, e.id, e.account_id,
               coalesce(sum(p.amount) FILTER (WHERE ledger_account = 'cash'), 0),
               coalesce(sum(p.quantity), 0), max(p.symbol),
               coalesce(sum(p.amount) FILTER (WHERE ledger_account = 'commissions'), 0)
        FROM portfolio.journal_entry e LEFT JOIN portfolio.posting p ON p.entry_id = e.id
        WHERE e.kind = 'fill' GROUP BY e.id
        """
    )
    entries = {row[0]: tuple(row)[2:] for row in rows}
    executed = {
        fill.told_by: (fill.account_id, fill.cash, fill.signed, fill.symbol, fill.commission)
        for fill in await fills_in_portfolio(evidence)
    }
    return [
        f"the event {id_}: the broker executed {_words(executed.get(id_))}, the ledger has {_words(entries.get(id_))}"
        for id_ in executed.keys() | entries.keys()
        if executed.get(id_) != entries.get(id_)
    ]


def _words(execution: tuple[object, ...] | None) -> str:
    if execution is None:
        return "nothing"
    return "{2} {3} for {1} with {4} commission in account {0}".format(*execution)


async def the_books_equal_their_postings(evidence: Evidence) -> list[str]:
    """Deposits, realised profit and cost of the books are the sums of their postings."""
    books = await evidence.database.fetch(
        """
        SELECT b.id, b.deposits, b.realised_pnl,
               coalesce(-sum(p.amount) FILTER (WHERE ledger_account = 'deposits'), 0),
               coalesce(-sum(p.amount) FILTER (WHERE ledger_account = 'realised_pnl'), 0)
        FROM portfolio.book b LEFT JOIN portfolio.journal_entry e ON e.account_id = b.id
        LEFT JOIN portfolio.posting p ON p.entry_id = e.id GROUP BY b.id
        """
    )
    costs = await evidence.database.fetch(
        """
        SELECT account_id, symbol, coalesce(o.cost_basis, 0), coalesce(s.cost, 0) FROM portfolio.position o
        FULL JOIN (SELECT account_id, symbol, sum(amount) AS cost FROM portfolio.posting
                   JOIN portfolio.journal_entry e ON e.id = entry_id WHERE ledger_account = 'positions' GROUP BY 1, 2) s
        USING (account_id, symbol) WHERE coalesce(o.cost_basis, 0) <> coalesce(s.cost, 0)
        """
    )
    return [
        f"book {id_} has {deposits} deposited and {gained} gained, by its postings {brought} and {earned}"
        for id_, deposits, gained, brought, earned in books
        if (deposits, gained) != (brought, earned)
    ] + [f"account {row[0]}: {row[1]} cost {row[2]}, by its postings {row[3]}" for row in costs]


INVARIANTS = (
    Invariant(debits_equal_credits),
    Invariant(the_brokers_accounts_follow_from_the_fills),
    Invariant(the_portfolio_follows_from_the_fills),
    Invariant(the_ledger_equals_the_brokers_book),
    Invariant(the_books_equal_their_postings),
)
