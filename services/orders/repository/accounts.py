"""What is the SQL of accounts? Their rows, positions and open orders make the books that commands work on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from libs.kit.db import Tx
from libs.kit.errors import Conflict, NotFound
from libs.kit.newest import newest
from services.orders.book import Book, Line, Working
from services.orders.matching import PaperVenue
from services.orders.model import Account

_ACCOUNT = (
    "id, tenant_id, name, broker, currency, initial_cash, cash, reserved, auto_trading, status, version, "
    "created_at, updated_at"
)


@dataclass(frozen=True, slots=True)
class AutoTrader:
    """The account in which a workspace's signals are traded."""

    account_id: UUID
    allowed: bool
    """Whether the workspace is entitled to it."""


@dataclass(frozen=True, slots=True)
class Entitled:
    """What a workspace may do, and the place of the event that said so."""

    tenant_id: UUID
    plan: str
    auto_trading: bool
    sequence: int


async def of_workspaces(tx: Tx, tenant_ids: Iterable[UUID]) -> set[UUID]:
    """The accounts of some workspaces. Needs a worker's transaction."""
    rows = await tx.fetch("SELECT id FROM orders.account WHERE tenant_id = ANY($1::uuid[])", list(tenant_ids))
    return {row[0] for row in rows}


async def keep_account(tx: Tx) -> None:
    """Write a new or changed account. Raises Conflict when another one of the workspace trades automatically."""
    try:
        await tx.flush()
    except IntegrityError as error:
        if "account_auto_trading" not in str(error.orig):
            raise
        raise Conflict("another account of this workspace trades signals", slug="auto-trading-taken") from error


async def lock_account(tx: Tx, account_id: UUID) -> Account:
    """The account, locked. Raises NotFound when this workspace has no such account."""
    account = await tx.scalar(select(Account).where(Account.id == account_id).with_for_update())
    if account is None:
        raise NotFound("account", account_id)
    return account


async def lock_books(tx: Tx, venue: PaperVenue, account_ids: Iterable[UUID]) -> dict[UUID, Book]:
    """The books of those accounts that the transaction can see, locked."""
    ids = list(account_ids)
    accounts = await tx.fetch(
        f"SELECT {_ACCOUNT} FROM orders.account WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE", ids
    )
    books = {row["id"]: Book(Account(**row), venue) for row in accounts}
    # After the lock, in a statement of its own, so that it sees what the lock's last holder did.
    for account_id, symbol, quantity, last_price, bought, buys, sold, sells in await tx.fetch(_LINES, list(books)):
        line = Line(quantity, last_price, Working(bought, buys), Working(sold, sells))
        books[account_id].lines[symbol] = line
    return books


_LINES = """
    SELECT account_id, symbol, sum(held), max(last_price),
           coalesce(sum(leaves) FILTER (WHERE side = 'BUY'), 0), coalesce(sum(amount) FILTER (WHERE side = 'BUY'), 0),
           coalesce(sum(leaves) FILTER (WHERE side = 'SELL'), 0), coalesce(sum(amount) FILTER (WHERE side = 'SELL'), 0)
    FROM (
        SELECT account_id, symbol, quantity AS held, last_price, NULL AS side, 0 AS leaves, 0 AS amount
        FROM orders.position WHERE account_id = ANY($1::uuid[])
        UNION ALL
        SELECT account_id, symbol, 0, NULL, side, quantity - cumulative_quantity,
               round((quantity - cumulative_quantity) * reference_price, 8)
        FROM orders."order" WHERE account_id = ANY($1::uuid[]) AND closed_at IS NULL
    ) part
    GROUP BY account_id, symbol
"""


async def save_books(tx: Tx, books: Iterable[Book]) -> None:
    """Keep what changed in accounts and positions; their new fills' orders are kept already."""
    changed = sorted(books, key=lambda book: book.account.id)
    await tx.fetch(
        """
        UPDATE orders.account SET cash = new.cash, reserved = new.reserved, updated_at = $4
        FROM unnest($1::uuid[], $2::numeric[], $3::numeric[]) AS new (account_id, cash, reserved)
        WHERE id = new.account_id
        """,
        [book.account.id for book in changed],
        [book.account.cash for book in changed],
        [book.reserved for book in changed],
        tx.now,
    )
    await _save_positions(tx, changed)


async def _save_positions(tx: Tx, books: Iterable[Book]) -> None:
    traded = {
        (fill.account_id, fill.symbol, fill.tenant_id): book.line(fill.symbol) for book in books for fill in book.fills
    }
    if not traded:
        return
    rows = [(*key, line.quantity, line.last_price) for key, line in traded.items()]
    await tx.fetch(
        """
        INSERT INTO orders.position (account_id, symbol, tenant_id, quantity, last_price, updated_at)
        SELECT *, $6::timestamptz
        FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::numeric[], $5::numeric[])
        ON CONFLICT (account_id, symbol) DO UPDATE
        SET quantity = excluded.quantity, last_price = excluded.last_price, updated_at = excluded.updated_at
        """,
        *map(list, zip(*rows, strict=True)),
        tx.now,
    )


async def auto_traders(tx: Tx, tenant_ids: Iterable[UUID]) -> dict[UUID, AutoTrader]:
    """For each workspace that has one, the account in which its signals are traded."""
    rows = await tx.fetch(
        """
        SELECT tenant_id, account.id, coalesce(entitlement.auto_trading, false)
        FROM orders.account LEFT JOIN orders.entitlement USING (tenant_id)
        WHERE account.auto_trading AND tenant_id = ANY($1::uuid[])
        """,
        list(tenant_ids),
    )
    return {tenant_id: AutoTrader(account_id, allowed) for tenant_id, account_id, allowed in rows}


async def save_entitlements(tx: Tx, entitled: Iterable[Entitled]) -> None:
    """Keep what workspaces may do, unless something newer is known."""
    rows = [(e.tenant_id, e.plan, e.auto_trading, e.sequence) for e in newest(entitled)]
    await tx.fetch(
        """
        INSERT INTO orders.entitlement (tenant_id, plan, auto_trading, sequence)
        SELECT * FROM unnest($1::uuid[], $2::text[], $3::boolean[], $4::bigint[])
        ON CONFLICT (tenant_id) DO UPDATE
        SET plan = excluded.plan, auto_trading = excluded.auto_trading, sequence = excluded.sequence
        WHERE entitlement.sequence < excluded.sequence
        """,
        *map(list, zip(*rows, strict=True)),
    )
