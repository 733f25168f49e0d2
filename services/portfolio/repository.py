"""What is the SQL? Instruments and then books are locked, each in one order; what is written is written in sets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.kit.db import Tx
from services.portfolio.ledger import JournalEntry
from services.portfolio.model import Book, Fill, Mark, Position, Valuation
from services.portfolio.positions import Holding

# Whoever held an instrument within it of a close has a point there, as the account's day ended with that close.
_DAY = "interval '1 day'"
_BOOK = "id, tenant_id, name, currency, deposits, cash, realised_pnl, fees, version"


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """A close at which an account is valued."""

    account_id: UUID
    as_of: datetime


async def lock_books(tx: Tx, account_ids: Collection[UUID]) -> dict[UUID, Book]:
    """Those of the accounts' books that there are, with their positions, locked in the order of their ids."""
    ids = list(account_ids)
    rows = await tx.fetch(f"SELECT {_BOOK} FROM portfolio.book WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE", ids)
    books = {row["id"]: Book(**row) for row in rows}
    # After the lock, in a statement of its own, so that it sees what the lock's last holder did.
    for account_id, id_, symbol, quantity, cost_basis, realised_pnl, fees in await tx.fetch(
        """
        SELECT account_id, id, symbol, quantity, cost_basis, realised_pnl, fees
        FROM portfolio.position WHERE account_id = ANY($1::uuid[])
        """,
        list(books),
    ):
        books[account_id].positions[symbol] = Position(id_, symbol, Holding(quantity, cost_basis), realised_pnl, fees)
    return books


async def lock_instruments(tx: Tx, closing: Collection[str], traded: Collection[str]) -> None:
    """Keep closes of an instrument and fills in it apart until the transaction ends; fills may be together.

    Of a close and a fill that are handled at once, neither would see the other, and the point that both make is missed.
    """
    await tx.fetch(
        """
        SELECT CASE WHEN closes THEN pg_advisory_xact_lock(key) ELSE pg_advisory_xact_lock_shared(key) END
        FROM (
            SELECT hashtextextended(current_schema() || '.instrument.' || symbol, 0) AS key, bool_or(closes) AS closes
            FROM unnest($1::text[], $2::boolean[]) i (symbol, closes)
            GROUP BY 1 ORDER BY 1
        ) one
        """,
        [*closing, *traded],
        [True] * len(closing) + [False] * len(traded),
    )


async def lock_books_of_holders(tx: Tx, marks: Sequence[Mark]) -> dict[UUID, Book]:
    """The books, without their positions, that marks may concern, locked in the order of their ids."""
    rows = await tx.fetch(
        f"""
        SELECT {_BOOK} FROM portfolio.book
        WHERE id IN (
            SELECT p.account_id FROM unnest($1::text[], $2::timestamptz[]) f (symbol, as_of)
            JOIN portfolio.position p USING (symbol)
            WHERE p.first_fill_at <= f.as_of AND (p.quantity <> 0 OR p.last_fill_at >= f.as_of - {_DAY})
        )
        ORDER BY id FOR UPDATE
        """,
        *_columns([(mark.symbol, mark.as_of) for mark in marks]),
    )
    return {row["id"]: Book(**row) for row in rows}


async def insert_books(tx: Tx, books: Sequence[Book]) -> None:
    """Keep new books, which have no positions yet."""
    await tx.fetch(
        f"""
        INSERT INTO portfolio.book ({_BOOK})
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::numeric[], $6::numeric[],
                             $7::numeric[], $8::numeric[], $9::bigint[])
        """,
        *_columns([
            (b.id, b.tenant_id, b.name, b.currency, b.deposits, b.cash, b.realised_pnl, b.fees, b.version)
            for b in books
        ]),
    )  # fmt: skip


async def save_books(tx: Tx, books: Mapping[UUID, Book], fills: Sequence[Fill]) -> None:
    """Keep what fills changed: the books of their accounts, and in each the positions in their instruments."""
    changed = [books[account] for account in {fill.account_id for fill in fills}]
    await tx.fetch(
        """
        UPDATE portfolio.book b
        SET cash = new.cash, realised_pnl = new.realised_pnl, fees = new.fees, version = new.version, updated_at = $6
        FROM unnest($1::uuid[], $2::numeric[], $3::numeric[], $4::numeric[], $5::bigint[])
             AS new (id, cash, realised_pnl, fees, version)
        WHERE b.id = new.id
        """,
        *_columns([(b.id, b.cash, b.realised_pnl, b.fees, b.version) for b in changed]),
        tx.now,
    )
    await tx.fetch(
        """
        INSERT INTO portfolio.position AS kept (id, account_id, tenant_id, symbol, quantity, cost_basis, realised_pnl, fees,
                                                first_fill_at, last_fill_at)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::numeric[], $6::numeric[],
                             $7::numeric[], $8::numeric[], $9::timestamptz[], $10::timestamptz[])
        ON CONFLICT (account_id, symbol) DO UPDATE
        SET quantity = excluded.quantity, cost_basis = excluded.cost_basis, realised_pnl = excluded.realised_pnl,
            fees = excluded.fees, first_fill_at = least(kept.first_fill_at, excluded.first_fill_at),
            last_fill_at = greatest(kept.last_fill_at, excluded.last_fill_at)
        """,
        *_columns([_position_row(books[account], symbol, times) for (account, symbol), times in _times(fills).items()]),
    )


def _times(fills: Sequence[Fill]) -> dict[tuple[UUID, str], list[datetime]]:
    """The times of the fills in each instrument of each account."""
    times: defaultdict[tuple[UUID, str], list[datetime]] = defaultdict(list)
    for fill in fills:
        times[fill.account_id, fill.symbol].append(fill.time)
    return times


def _position_row(book: Book, symbol: str, times: Sequence[datetime]) -> tuple[object, ...]:
    position = book.positions[symbol]
    return (
        position.id, book.id, book.tenant_id, symbol, position.holding.quantity, position.holding.cost_basis,
        position.realised_pnl, position.fees, min(times), max(times),
    )  # fmt: skip


async def save_versions(tx: Tx, books: Collection[Book]) -> None:
    """Keep how much was told of books in which nothing else changed."""
    if not books:
        return
    await tx.fetch(
        """
        UPDATE portfolio.book b SET version = new.version, updated_at = $3
        FROM unnest($1::uuid[], $2::bigint[]) AS new (id, version) WHERE b.id = new.id
        """,
        *_columns([(b.id, b.version) for b in books]),
        tx.now,
    )


async def posted_events(tx: Tx, event_ids: Collection[UUID]) -> set[UUID]:
    """Those of the events that have caused an entry already."""
    rows = await tx.fetch(
        "SELECT event_id FROM portfolio.journal_entry WHERE event_id = ANY($1::uuid[])", list(event_ids)
    )
    return {row[0] for row in rows}


async def insert_entries(tx: Tx, entries: Sequence[JournalEntry], books: Mapping[UUID, Book]) -> None:
    """Write entries and their postings, in one statement each."""
    rows = [
        (entry.id, entry.account_id, books[entry.account_id].tenant_id, entry.time, entry.kind, entry.description,
         entry.event_id)
        for entry in entries
    ]  # fmt: skip
    await tx.fetch(
        """
        INSERT INTO portfolio.journal_entry (id, account_id, tenant_id, time, kind, description, event_id)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::text[], $6::text[], $7::uuid[])
        """,
        *_columns(rows),
    )
    lines = [
        (entry.id, line, books[entry.account_id].tenant_id, posting.ledger_account, posting.currency, posting.amount,
         posting.units and posting.units.symbol, posting.units and posting.units.quantity)
        for entry in entries
        for line, posting in enumerate(entry.postings, start=1)
    ]  # fmt: skip
    await tx.fetch(
        """
        INSERT INTO portfolio.posting (entry_id, line, tenant_id, ledger_account, currency, amount, symbol, quantity)
        SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::text[], $5::text[], $6::numeric[],
                             $7::text[], $8::numeric[])
        """,
        *_columns(lines),
    )


async def insert_marks(tx: Tx, marks: Sequence[Mark]) -> None:
    """Keep marks; the first one of an instrument and time stays."""
    await tx.fetch(
        """
        INSERT INTO portfolio.mark (symbol, as_of, close, event_id, backfilled)
        SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::numeric[], $4::uuid[], $5::boolean[])
        ON CONFLICT DO NOTHING
        """,
        *_columns([(mark.symbol, mark.as_of, mark.close, mark.event_id, mark.backfilled) for mark in marks]),
    )


async def update_marks(tx: Tx, marks: Sequence[Mark]) -> None:
    """Replace what kept marks say; one that is not kept stays unknown."""
    await tx.fetch(
        """
        UPDATE portfolio.mark m SET close = new.close, event_id = new.event_id
        FROM unnest($1::text[], $2::timestamptz[], $3::numeric[], $4::uuid[]) new (symbol, as_of, close, event_id)
        WHERE m.symbol = new.symbol AND m.as_of = new.as_of
        """,
        *_columns([(mark.symbol, mark.as_of, mark.close, mark.event_id) for mark in marks]),
    )


async def moments_reached(tx: Tx, marks: Sequence[Mark]) -> list[Moment]:
    """Where kept marks may make a difference: at their own times, and at points of those who held the instrument.

    A mark reaches from its time to the instrument's next mark; imported history makes no points, but corrects them. The
    books of the holders must be locked.
    """
    rows = await tx.fetch(
        f"""
        WITH fresh AS (
            SELECT f.symbol, f.as_of, f.backfilled, n.as_of AS until
            FROM unnest($1::text[], $2::timestamptz[], $3::boolean[]) f (symbol, as_of, backfilled)
            LEFT JOIN LATERAL (
                SELECT m.as_of FROM portfolio.mark m WHERE m.symbol = f.symbol AND m.as_of > f.as_of
                ORDER BY m.as_of LIMIT 1
            ) n ON true
        ), concerned AS (
            SELECT p.account_id, f.as_of, f.until, f.backfilled
            FROM fresh f
            JOIN portfolio.position p USING (symbol)
            WHERE p.first_fill_at <= f.as_of AND (p.quantity <> 0 OR p.last_fill_at >= f.as_of - {_DAY})
        )
        SELECT account_id, as_of FROM concerned WHERE NOT backfilled
        UNION
        SELECT e.account_id, e.as_of
        FROM concerned c
        JOIN portfolio.equity_point e
            ON e.account_id = c.account_id AND e.as_of >= c.as_of AND e.as_of < coalesce(c.until, 'infinity')
        """,
        *_columns([(mark.symbol, mark.as_of, mark.backfilled) for mark in marks]),
    )
    return [Moment(*row) for row in rows]


async def moments_after(tx: Tx, fills: Sequence[Fill]) -> list[Moment]:
    """Where fills may make a difference: at the points of their accounts and the closes of their instruments after them."""
    rows = await tx.fetch(
        """
        WITH since AS (
            SELECT account_id, symbol, min(time) AS time
            FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) f (account_id, symbol, time)
            GROUP BY account_id, symbol
        )
        SELECT e.account_id, e.as_of
        FROM (SELECT account_id, min(time) AS time FROM since GROUP BY account_id) s
        JOIN portfolio.equity_point e ON e.account_id = s.account_id AND e.as_of > s.time
        UNION
        SELECT s.account_id, m.as_of
        FROM since s
        JOIN portfolio.mark m ON m.symbol = s.symbol AND m.as_of > s.time AND NOT m.backfilled
        """,
        *_columns([(fill.account_id, fill.symbol, fill.time) for fill in fills]),
    )
    return [Moment(*row) for row in rows]


async def revalue(tx: Tx, causes: Mapping[Moment, UUID]) -> list[Valuation]:
    """Value accounts at moments, and keep a point where one is due; gives what is new or changed, by time.

    The locks of the accounts' books must be held, and what changed in them must be saved. `causes` are the events that
    ask for it. A point is due at the close of an instrument that the account holds or has traded within the day before;
    books of people who were erased get no new ones. It counts the fills before its close: it takes back from the present
    books what happened at or after it. A position is valued at the last mark by then that is not older than the account's
    first fill in it, or at cost as long as there is none. Rounding is that of `positions.worth`.
    """
    if not causes:
        return []
    rows = await tx.fetch(_REVALUE, *_columns([(m.account_id, m.as_of, cause) for m, cause in causes.items()]))
    return sorted((Valuation(*row) for row in rows), key=lambda valuation: valuation.as_of)


_REVALUE = f"""
    WITH wanted AS (
        SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[]) w (account_id, as_of, event_id)
    ), later AS (
        SELECT w.account_id, w.as_of, p.symbol, sum(p.amount) AS amount, sum(p.quantity) AS quantity
        FROM wanted w
        JOIN portfolio.journal_entry e ON e.account_id = w.account_id AND e.time >= w.as_of AND e.kind = 'fill'
        JOIN portfolio.posting p ON p.entry_id = e.id AND p.ledger_account IN ('cash', 'positions')
        GROUP BY w.account_id, w.as_of, p.symbol
    ), held AS (
        SELECT w.account_id, w.as_of, o.symbol, o.first_fill_at,
               o.quantity - coalesce(l.quantity, 0) AS quantity, o.cost_basis - coalesce(l.amount, 0) AS cost
        FROM wanted w
        JOIN portfolio.position o USING (account_id)
        LEFT JOIN later l ON l.account_id = w.account_id AND l.as_of = w.as_of AND l.symbol = o.symbol
        WHERE o.first_fill_at < w.as_of
    ), due AS (
        SELECT DISTINCT h.account_id, h.as_of
        FROM held h
        JOIN portfolio.mark m ON m.symbol = h.symbol AND m.as_of = h.as_of AND NOT m.backfilled
        WHERE h.quantity <> 0 OR EXISTS (
            SELECT FROM portfolio.journal_entry e
            JOIN portfolio.posting p ON p.entry_id = e.id AND p.symbol = h.symbol
            WHERE e.account_id = h.account_id AND e.kind = 'fill' AND e.time >= h.as_of - {_DAY} AND e.time < h.as_of
        )
    ), marked AS (
        SELECT h.account_id, h.as_of, h.cost, h.quantity * m.close * 100000000 AS units
        FROM held h
        LEFT JOIN LATERAL (
            SELECT k.close FROM portfolio.mark k
            WHERE k.symbol = h.symbol AND k.as_of <= h.as_of AND k.as_of >= h.first_fill_at
            ORDER BY k.as_of DESC LIMIT 1
        ) m ON true
        WHERE h.quantity <> 0
    ), total AS (
        SELECT account_id, as_of, sum(CASE
            WHEN units IS NULL THEN cost
            WHEN abs(units - trunc(units)) = 0.5 THEN 2 * round(units * 0.5) * 0.00000001
            ELSE round(units) * 0.00000001
        END) AS market_value
        FROM marked
        GROUP BY account_id, as_of
    ), valued AS (
        SELECT w.account_id, w.as_of, b.tenant_id, w.event_id,
               b.cash - coalesce(l.amount, 0) AS cash, coalesce(t.market_value, 0) AS market_value
        FROM wanted w
        JOIN portfolio.book b ON b.id = w.account_id
        LEFT JOIN later l ON l.account_id = w.account_id AND l.as_of = w.as_of AND l.symbol IS NULL
        LEFT JOIN total t ON t.account_id = w.account_id AND t.as_of = w.as_of
    ), dropped AS (
        DELETE FROM portfolio.equity_point e
        USING (SELECT account_id, as_of FROM wanted EXCEPT SELECT account_id, as_of FROM due) w
        WHERE e.account_id = w.account_id AND e.as_of = w.as_of
        RETURNING e.account_id, e.as_of, e.cash, e.market_value
    ), saved AS (
        INSERT INTO portfolio.equity_point AS e (account_id, as_of, tenant_id, cash, market_value, equity, event_id)
        SELECT v.account_id, v.as_of, v.tenant_id, v.cash, v.market_value, v.cash + v.market_value, v.event_id
        FROM valued v
        JOIN due USING (account_id, as_of)
        WHERE NOT EXISTS (SELECT FROM portfolio.erased_workspace x WHERE x.tenant_id = v.tenant_id)
            OR EXISTS (SELECT FROM portfolio.equity_point p WHERE p.account_id = v.account_id AND p.as_of = v.as_of)
        ON CONFLICT (account_id, as_of) DO UPDATE
        SET cash = excluded.cash, market_value = excluded.market_value, equity = excluded.equity,
            event_id = excluded.event_id
        WHERE (e.cash, e.market_value) <> (excluded.cash, excluded.market_value)
        RETURNING account_id, as_of, cash, market_value
    )
    SELECT account_id, as_of, cash, market_value FROM saved
    UNION ALL
    SELECT v.account_id, v.as_of, v.cash, v.market_value FROM valued v JOIN dropped d USING (account_id, as_of)
    WHERE (v.cash, v.market_value) <> (d.cash, d.market_value)
"""


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]
