"""What is the SQL of orders and fills? Found and saved in sets, under the lock of their accounts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from asyncpg import UniqueViolationError

from libs.kit.db import Tx
from libs.kit.errors import Conflict
from libs.schema.values import Symbol
from services.orders.matching import Bar, PaperVenue
from services.orders.model import Fill, Order

_ORDER = {
    "id": "uuid", "tenant_id": "uuid", "account_id": "uuid", "client_order_id": "text", "symbol": "text",
    "side": "text", "order_type": "text", "time_in_force": "text", "quantity": "numeric", "limit_price": "numeric",
    "reference_price": "numeric", "status": "text", "cumulative_quantity": "numeric", "average_price": "numeric",
    "commission": "numeric", "reject_reason": "text", "reject_detail": "text", "strategy_id": "uuid",
    "signal_id": "uuid", "day_zone": "text", "submitted_at": "timestamptz", "closed_at": "timestamptz", "version": "bigint",
    "created_at": "timestamptz", "updated_at": "timestamptz",
}  # fmt: skip
_CHANGING = (
    "id", "status", "cumulative_quantity", "average_price", "commission", "reject_reason", "reject_detail", "closed_at",
    "version",
)  # fmt: skip
_FILL = {
    "id": "uuid", "tenant_id": "uuid", "account_id": "uuid", "order_id": "uuid", "symbol": "text", "side": "text",
    "last_quantity": "numeric", "last_price": "numeric", "commission": "numeric", "currency": "text", "venue": "text",
    "execution_id": "text", "executed_at": "timestamptz",
}  # fmt: skip
_COLUMNS = ", ".join(f"o.{name}" for name in _ORDER)


@dataclass(frozen=True, slots=True)
class Span:
    """How far new bars of one instrument reach, in price and time."""

    symbol: Symbol
    low: Decimal
    high: Decimal
    last_open: datetime

    @classmethod
    def of(cls, bars: Sequence[Bar]) -> Span:
        """The span of bars of one instrument."""
        low, high = min(bar.low for bar in bars), max(bar.high for bar in bars)
        return cls(bars[0].symbol, low, high, max(bar.open_time for bar in bars))


@dataclass(frozen=True, slots=True)
class Resting:
    """An open order, and for a day order the open of the first bar that it met."""

    order: Order
    first_met: datetime | None


@dataclass(frozen=True, slots=True)
class Holder:
    """A strategy that trades an instrument in an account."""

    account_id: UUID
    strategy_id: UUID
    symbol: Symbol


# A superset: which of these trade is for `matching` to say. Resting limits out of reach are left alone.
_MAY_TRADE = """
    FROM unnest($1::text[], $2::numeric[], $3::numeric[], $4::timestamptz[]) AS span (symbol, low, high, last_open)
    JOIN orders."order" o ON o.symbol = span.symbol AND o.submitted_at <= span.last_open AND o.closed_at IS NULL
    WHERE o.order_type = 'MARKET' OR o.time_in_force = 'DAY'
       OR (o.side = 'BUY' AND o.limit_price >= span.low) OR (o.side = 'SELL' AND o.limit_price <= span.high)
"""


async def accounts_that_may_trade(tx: Tx, spans: Sequence[Span]) -> list[UUID]:
    """The accounts with orders that new bars may close."""
    return [row[0] for row in await tx.fetch(f"SELECT DISTINCT o.account_id {_MAY_TRADE}", *_columns_of(spans))]


async def that_may_trade(tx: Tx, venue: PaperVenue, spans: Sequence[Span]) -> list[Resting]:
    """The orders that new bars, kept already, may close."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS}, CASE WHEN o.time_in_force = 'DAY' THEN (
            SELECT min(met.open_time) FROM orders.bar met
            WHERE met.symbol = o.symbol AND met.timeframe = $5 AND met.open_time >= o.submitted_at
                AND NOT met.backfilled
        ) END AS met_at
        {_MAY_TRADE}
        """,
        *_columns_of(spans),
        venue.timeframe,
    )
    return [Resting(Order(**{name: row[name] for name in _ORDER}), row["met_at"]) for row in rows]


def _columns_of(spans: Sequence[Span]) -> list[list[object]]:
    return [list(column) for column in zip(*((s.symbol, s.low, s.high, s.last_open) for s in spans), strict=True)]


async def find_order(tx: Tx, order_id: UUID) -> Order | None:
    """The order as it is now, or None when this workspace has no such order."""
    rows = await tx.fetch(f'SELECT {_COLUMNS} FROM orders."order" o WHERE id = $1', order_id)
    return Order(**rows[0]) if rows else None


async def open_of(tx: Tx, account_ids: Iterable[UUID]) -> list[Order]:
    """The open orders of accounts, whose locks `tx` holds."""
    rows = await tx.fetch(
        f'SELECT {_COLUMNS} FROM orders."order" o WHERE account_id = ANY($1::uuid[]) AND closed_at IS NULL ORDER BY id',
        list(account_ids),
    )
    return [Order(**row) for row in rows]


async def taken_client_order_ids(tx: Tx, account_ids: Iterable[UUID], client_order_ids: Iterable[str]) -> set[str]:
    """Those of the ids that orders of the accounts have."""
    rows = await tx.fetch(
        'SELECT client_order_id FROM orders."order" '
        "WHERE account_id = ANY($1::uuid[]) AND client_order_id = ANY($2::text[])",
        list(account_ids),
        list(client_order_ids),
    )
    return {row[0] for row in rows}


async def holdings(tx: Tx, holders: Iterable[Holder]) -> dict[Holder, Decimal]:
    """What each strategy holds or has working, short negative; those that never traded are left out."""
    wanted = [(h.account_id, h.strategy_id, h.symbol) for h in dict.fromkeys(holders)]
    rows = await tx.fetch(
        """
        SELECT account_id, strategy_id, symbol, sum(
            CASE side WHEN 'BUY' THEN 1 ELSE -1 END
            * CASE WHEN closed_at IS NULL THEN quantity ELSE cumulative_quantity END)
        FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS holder (account_id, strategy_id, symbol)
        JOIN orders."order" USING (account_id, strategy_id, symbol)
        GROUP BY account_id, strategy_id, symbol
        """,
        *map(list, zip(*wanted, strict=True)),
    )
    return {Holder(account_id, strategy_id, symbol): quantity for account_id, strategy_id, symbol, quantity in rows}


async def insert_orders(tx: Tx, orders: Sequence[Order]) -> None:
    """Keep new orders as they are after all that happened to them in this transaction.

    Raises Conflict for a client_order_id that another order of its account has.
    """
    try:
        await tx.fetch(
            f'INSERT INTO orders."order" ({", ".join(_ORDER)}) SELECT * FROM unnest({_placeholders(_ORDER.values())})',
            *([getattr(order, name) for order in orders] for name in _ORDER),
        )
    except UniqueViolationError as error:
        if error.constraint_name != "order_client_order_id":
            raise
        raise Conflict("another order of the account has this client_order_id", slug="client-order-id-taken") from error


async def update_orders(tx: Tx, orders: Sequence[Order]) -> None:
    """Keep what happened to known orders."""
    changes = ", ".join(f"{name} = new.{name}" for name in _CHANGING[1:])
    await tx.fetch(
        f"""
        UPDATE orders."order" o SET {changes}, updated_at = ${len(_CHANGING) + 1}
        FROM unnest({_placeholders(_ORDER[name] for name in _CHANGING)}) AS new ({", ".join(_CHANGING)})
        WHERE o.id = new.id
        """,
        *([getattr(order, name) for order in orders] for name in _CHANGING),
        tx.now,
    )


async def insert_fills(tx: Tx, fills: Sequence[Fill]) -> None:
    """Keep new fills; an execution that is kept already raises, so that none counts twice."""
    if not fills:
        return
    await tx.fetch(
        f"INSERT INTO orders.fill ({', '.join(_FILL)}) SELECT * FROM unnest({_placeholders(_FILL.values())})",
        *([getattr(fill, name) for fill in fills] for name in _FILL),
    )


def _placeholders(types: Iterable[str]) -> str:
    return ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(types, start=1))
