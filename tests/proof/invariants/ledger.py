"""Is the money right? Recomputed from the broker's fills alone, in plain code, for orders and for portfolio."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal
from uuid import UUID

from tests.proof.invariants.evidence import Evidence
from tests.proof.invariants.violation import Invariant

ZERO = Decimal(0)
_UNIT = Decimal("1E-8")
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)


@dataclass
class Account:
    """What an account has, by its first cash and its fills."""

    cash: Decimal
    fees: Decimal = ZERO
    held: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))


async def accounts_by_fills(evidence: Evidence) -> dict[UUID, Account]:
    """Every account, recomputed."""
    opened = await evidence.database.fetch("SELECT id, initial_cash FROM orders.account")
    accounts = {id_: Account(cash) for id_, cash in opened}
    fills = await evidence.database.fetch(
        "SELECT account_id, symbol, side, last_quantity, last_price, commission FROM orders.fill"
    )
    for account_id, symbol, side, quantity, price, commission in fills:
        account, signed = accounts[account_id], quantity if side == "BUY" else -quantity
        account.cash -= money(signed, price) + commission
        account.fees += commission
        account.held[symbol] += signed
    return accounts


def money(quantity: Decimal, price: Decimal) -> Decimal:
    """What a quantity is worth at a price, rounded half-even to the 8 decimals that are kept."""
    return _EXACT.quantize(_EXACT.multiply(quantity, price), _UNIT)


async def debits_equal_credits(evidence: Evidence) -> list[str]:
    """Postings add up to zero in every workspace and currency, and in every entry."""
    by_workspace = await evidence.database.fetch(
        "SELECT tenant_id, currency, sum(amount) FROM portfolio.posting GROUP BY 1, 2 HAVING sum(amount) <> 0"
    )
    by_entry = await evidence.database.fetch(
        "SELECT id, currency, sum(amount) FROM portfolio.journal_entry LEFT JOIN portfolio.posting ON entry_id = id "
        "GROUP BY 1, 2 HAVING coalesce(sum(amount), 1) <> 0"
    )
    return [
        f"workspace {id_}: debits less credits are {amount} {currency}" for id_, currency, amount in by_workspace
    ] + [f"entry {id_}: debits less credits are {amount} {currency}" for id_, currency, amount in by_entry]


async def the_brokers_accounts_follow_from_the_fills(evidence: Evidence) -> list[str]:
    """Cash and positions of orders' accounts are those that the fills lead to."""
    cash = await evidence.database.fetch("SELECT id, cash FROM orders.account")
    held = await evidence.database.fetch("SELECT account_id, symbol, quantity FROM orders.position")
    return _differences(await accounts_by_fills(evidence), dict(cash), {(row[0], row[1]): row[2] for row in held})


async def the_portfolio_follows_from_the_fills(evidence: Evidence) -> list[str]:
    """Cash, fees and positions of the portfolio are those that the fills lead to."""
    accounts = await accounts_by_fills(evidence)
    books = await evidence.database.fetch("SELECT id, cash, fees FROM portfolio.book")
    held = await evidence.database.fetch("SELECT account_id, symbol, quantity FROM portfolio.position")
    fees = [
        f"account {id_}: {fees} are paid in fees, {accounts[id_].fees} by the fills"
        for id_, _, fees in books
        if id_ in accounts and fees != accounts[id_].fees
    ]
    return fees + _differences(accounts, {row[0]: row[1] for row in books}, {(row[0], row[1]): row[2] for row in held})


def _differences(
    accounts: dict[UUID, Account], cash: dict[UUID, Decimal], held: dict[tuple[UUID, str], Decimal]
) -> list[str]:
    by_fills = {
        (id_, symbol): quantity for id_, account in accounts.items() for symbol, quantity in account.held.items()
    }
    found = [
        f"account {id_}: cash is {cash.get(id_)}, by the fills {accounts[id_].cash if id_ in accounts else None}"
        for id_ in accounts.keys() | cash.keys()
        if id_ not in accounts or cash.get(id_) != accounts[id_].cash
    ]
    return found + [
        f"account {place[0]}: holds {held.get(place)} {place[1]}, by the fills {by_fills.get(place)}"
        for place in by_fills.keys() | held.keys()
        if held.get(place, ZERO) != by_fills.get(place, ZERO)
    ]


INVARIANTS = (
    Invariant(debits_equal_credits),
    Invariant(the_brokers_accounts_follow_from_the_fills),
    Invariant(the_portfolio_follows_from_the_fills),
)
