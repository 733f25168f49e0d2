"""What is the SQL of markets and bars? They belong to everybody, and only the bus writes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from libs.kit.db import Tx
from libs.schema.values import Currency, Symbol, Timeframe
from services.orders.book import Marks
from services.orders.matching import Bar, PaperVenue
from services.orders.model import Market

_BAR = "symbol, timeframe, open_time, open, high, low, close"


@dataclass(frozen=True, slots=True)
class Listing:
    """An instrument; its currency is None while only bars of it were heard of."""

    symbol: Symbol
    currency: Currency | None


@dataclass(frozen=True, slots=True)
class Since:
    """Which bars: of an instrument, from a moment on, the first `depth` of them or all."""

    symbol: Symbol
    moment: datetime
    depth: int | None


async def share(tx: Tx, symbols: Iterable[Symbol]) -> None:
    """Keep bars of these instruments out until the transaction ends; other orders go on.

    Advisory locks queue fairly: with FOR SHARE on a row, new orders could overtake a waiting bar for ever.
    """
    await _lock(tx, "pg_advisory_xact_lock_shared", symbols)


async def lock(tx: Tx, symbols: Iterable[Symbol]) -> None:
    """Keep orders in and bars of these instruments out until the transaction ends."""
    await _lock(tx, "pg_advisory_xact_lock", symbols)


async def lock_and_share(tx: Tx, locked: Iterable[Symbol], shared: Iterable[Symbol]) -> None:
    """Both at once, in one order: whoever took them one after the other could wait for another who does."""
    await tx.fetch(
        """
        SELECT CASE WHEN wanted.alone THEN pg_advisory_xact_lock(hashtext('orders.market'), wanted.hash)
                    ELSE pg_advisory_xact_lock_shared(hashtext('orders.market'), wanted.hash) END
        FROM (
            SELECT hashtext(symbol) AS hash, bool_or(alone) AS alone
            FROM (SELECT unnest($1::text[]), true UNION ALL SELECT unnest($2::text[]), false) AS each (symbol, alone)
            GROUP BY 1 ORDER BY 1
        ) wanted
        """,
        list(locked),
        list(shared),
    )


async def _lock(tx: Tx, function: str, symbols: Iterable[Symbol]) -> None:
    # In the order of the hashes, since two symbols may share one.
    await tx.fetch(
        f"""
        SELECT {function}(hashtext('orders.market'), wanted.hash)
        FROM (SELECT DISTINCT hashtext(symbol) AS hash FROM unnest($1::text[]) symbol ORDER BY 1) wanted
        """,
        list(symbols),
    )


async def find_listing(tx: Tx, symbol: Symbol) -> Listing | None:
    """The instrument, or None when nothing was heard of it."""
    market = await tx.scalar(select(Market).where(Market.symbol == symbol))
    return None if market is None else Listing(market.symbol, market.currency)


async def currencies(tx: Tx, symbols: Iterable[Symbol]) -> dict[Symbol, Currency | None]:
    """The currencies of those instruments that are known."""
    rows = await tx.fetch("SELECT symbol, currency FROM orders.market WHERE symbol = ANY($1::text[])", list(symbols))
    return {row["symbol"]: row["currency"] for row in rows}


async def save_listings(tx: Tx, listings: Iterable[Listing]) -> None:
    """Take orders for these instruments from now on; a currency once known stays known."""
    latest = {listing.symbol: listing.currency for listing in listings}
    await tx.fetch(
        """
        INSERT INTO orders.market (symbol, currency)
        SELECT new.symbol, new.currency FROM unnest($1::text[], $2::text[]) AS new (symbol, currency)
        LEFT JOIN orders.market known USING (symbol)
        WHERE known.symbol IS NULL OR new.currency <> coalesce(known.currency, '')
        ORDER BY new.symbol
        ON CONFLICT (symbol) DO UPDATE
        SET currency = coalesce(excluded.currency, market.currency), updated_at = now()
        """,
        list(latest),
        list(latest.values()),
    )


async def save_bars(tx: Tx, bars: Sequence[Bar]) -> None:
    """Keep bars; those that are kept already stay as they are."""
    rows = [(b.symbol, b.timeframe, b.open_time, b.open, b.high, b.low, b.close) for b in bars]
    await tx.fetch(
        f"""
        INSERT INTO orders.bar ({_BAR})
        SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::numeric[], $5::numeric[], $6::numeric[],
                             $7::numeric[])
        ON CONFLICT DO NOTHING
        """,
        *map(list, zip(*rows, strict=True)),
    )


async def bars_since(tx: Tx, venue: PaperVenue, wanted: Iterable[Since]) -> dict[Since, list[Bar]]:
    """The venue's bars that are known."""
    keys = list(dict.fromkeys(wanted))
    rows = await tx.fetch(
        f"""
        SELECT since.key, met.* FROM unnest($1::int[], $2::text[], $3::timestamptz[], $4::int[])
                                  AS since (key, wanted, moment, depth)
        CROSS JOIN LATERAL (
            SELECT {_BAR} FROM orders.bar WHERE symbol = since.wanted AND timeframe = $5 AND open_time >= since.moment
            ORDER BY open_time LIMIT since.depth
        ) met
        """,
        list(range(len(keys))),
        [key.symbol for key in keys],
        [key.moment for key in keys],
        [key.depth for key in keys],
        venue.timeframe,
    )
    found: dict[Since, list[Bar]] = {key: [] for key in keys}
    for key, symbol, timeframe, *rest in rows:
        found[keys[key]].append(Bar(symbol, Timeframe(timeframe), *rest))
    return found


async def marks(tx: Tx, venue: PaperVenue, wanted: Iterable[tuple[Symbol, datetime]]) -> Marks:
    """The last close of each instrument that was known at each moment."""
    keys = list(wanted)
    rows = await tx.fetch(
        """
        SELECT known.wanted, known.moment, last.close
        FROM unnest($1::text[], $2::timestamptz[]) AS known (wanted, moment)
        CROSS JOIN LATERAL (
            SELECT close FROM orders.bar
            WHERE symbol = known.wanted AND timeframe = $3 AND open_time <= known.moment - $4::interval
            ORDER BY open_time DESC LIMIT 1
        ) last
        """,
        [symbol for symbol, _ in keys],
        [moment for _, moment in keys],
        venue.timeframe,
        venue.timeframe.duration,
    )
    return Marks({(symbol, moment): close for symbol, moment, close in rows})
