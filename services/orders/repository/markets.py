"""What is the SQL of markets and bars? They belong to everybody, and only the bus writes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.kit.db import Tx
from libs.schema.exchanges import time_zone_of
from libs.schema.values import Currency, Symbol, Timeframe
from services.orders.matching import Bar, PaperVenue

_BAR = "symbol, timeframe, open_time, open, high, low, close, volume, backfilled"


@dataclass(frozen=True, slots=True)
class Listing:
    """An instrument; its currency is None while only bars of it were heard of."""

    symbol: Symbol
    currency: Currency | None
    asset_class: str | None = None
    time_zone: str | None = None
    """As its listing says; the symbol's suffix may tell where that says none."""

    @property
    def day_zone(self) -> str:
        """Whose midnight ends the exchange's day."""
        return self.time_zone or time_zone_of(self.symbol)


@dataclass(frozen=True, slots=True)
class Since:
    """Which bars: of an instrument, from a moment on, all, or the first `depth` of those that have trades."""

    symbol: Symbol
    moment: datetime
    depth: int | None


@dataclass(frozen=True, slots=True)
class Around:
    """The bars of an instrument around a moment."""

    last: Bar | None
    """The last one that had closed by then."""
    met: Sequence[Bar]
    """Those that open at it or later."""


async def share(tx: Tx, symbols: Iterable[Symbol]) -> dict[Symbol, Listing]:
    """Keep bars of these instruments out until the transaction ends; other orders go on. Gives those that are known.

    Advisory locks queue fairly: with FOR SHARE on a row, new orders could overtake a waiting bar for ever.
    """
    rows = await tx.fetch(
        """
        SELECT wanted.symbol, wanted.known, wanted.currency, wanted.asset_class, wanted.time_zone,
               pg_advisory_xact_lock_shared(hashtext('orders.market'), hashtext(wanted.symbol))
        FROM (
            SELECT symbol, market.symbol IS NOT NULL AS known, market.currency, market.asset_class, market.time_zone
            FROM unnest($1::text[]) symbol LEFT JOIN orders.market USING (symbol) ORDER BY hashtext(symbol)
        ) wanted
        """,
        list(symbols),
    )
    return {symbol: Listing(symbol, *said) for symbol, known, *said, _ in rows if known}


async def lock(tx: Tx, symbols: Iterable[Symbol]) -> None:
    """Keep orders in and bars of these instruments out until the transaction ends."""
    # In the order of the hashes, since two symbols may share one.
    await tx.fetch(
        """
        SELECT pg_advisory_xact_lock(hashtext('orders.market'), wanted.hash)
        FROM (SELECT DISTINCT hashtext(symbol) AS hash FROM unnest($1::text[]) symbol ORDER BY 1) wanted
        """,
        list(symbols),
    )


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


async def save_listings(tx: Tx, listings: Iterable[Listing]) -> None:
    """Take orders for these instruments from now on; what is once known of them stays known."""
    latest = {listing.symbol: listing for listing in listings}
    rows = [(one.symbol, one.currency, one.asset_class, one.time_zone) for one in latest.values()]
    await tx.fetch(
        """
        INSERT INTO orders.market (symbol, currency, asset_class, time_zone)
        SELECT new.* FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
                     AS new (symbol, currency, asset_class, time_zone)
        LEFT JOIN orders.market known USING (symbol)
        WHERE known.symbol IS NULL OR new.currency <> coalesce(known.currency, '')
           OR new.asset_class <> coalesce(known.asset_class, '') OR new.time_zone <> coalesce(known.time_zone, '')
        ORDER BY new.symbol
        ON CONFLICT (symbol) DO UPDATE
        SET currency = coalesce(excluded.currency, market.currency),
            asset_class = coalesce(excluded.asset_class, market.asset_class),
            time_zone = coalesce(excluded.time_zone, market.time_zone), updated_at = now()
        """,
        *map(list, zip(*rows, strict=True)),
    )


async def asset_classes(tx: Tx, symbols: Iterable[Symbol]) -> dict[Symbol, str | None]:
    """What kind of thing each of these instruments is, None where nobody has said it."""
    rows = await tx.fetch("SELECT symbol, asset_class FROM orders.market WHERE symbol = ANY($1::text[])", list(symbols))
    return {row[0]: row[1] for row in rows}


async def save_bars(tx: Tx, bars: Sequence[Bar]) -> None:
    """Keep bars; those that are kept already stay as they are."""
    await tx.fetch(
        f"""
        INSERT INTO orders.bar ({_BAR})
        SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::numeric[], $5::numeric[], $6::numeric[],
                             $7::numeric[], $8::numeric[], $9::boolean[])
        ON CONFLICT DO NOTHING
        """,
        *_columns(bars),
    )


async def update_bars(tx: Tx, bars: Sequence[Bar]) -> None:
    """Replace the figures of bars that are kept, one at most of each."""
    await tx.fetch(
        f"""
        UPDATE orders.bar kept
        SET open = new.open, high = new.high, low = new.low, close = new.close, volume = new.volume
        FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::numeric[], $5::numeric[], $6::numeric[],
                    $7::numeric[], $8::numeric[], $9::boolean[]) AS new ({_BAR})
        WHERE (kept.symbol, kept.timeframe, kept.open_time) = (new.symbol, new.timeframe, new.open_time)
        """,
        *_columns(bars),
    )


def _columns(bars: Sequence[Bar]) -> list[list[object]]:
    rows = [(b.symbol, b.timeframe, b.open_time, *b.prices, b.volume, b.backfilled) for b in bars]
    return [list(column) for column in zip(*rows, strict=True)]


async def bars_around(tx: Tx, venue: PaperVenue, wanted: Iterable[Since]) -> dict[Since, Around]:
    """What is known of the venue's bars before and from each moment."""
    keys = list(dict.fromkeys(wanted))
    rows = await tx.fetch(
        f"""
        SELECT since.key, bar.* FROM unnest($1::int[], $2::text[], $3::timestamptz[], $4::int[])
                                  AS since (key, wanted, moment, depth)
        CROSS JOIN LATERAL (
            (SELECT false AS met, {_BAR} FROM orders.bar
             WHERE symbol = since.wanted AND timeframe = $5 AND open_time <= since.moment - $6::interval
             ORDER BY open_time DESC LIMIT 1)
            UNION ALL
            (SELECT true, {_BAR} FROM orders.bar
             WHERE symbol = since.wanted AND timeframe = $5 AND open_time >= since.moment
               AND NOT backfilled AND (since.depth IS NULL OR volume IS DISTINCT FROM 0)
             ORDER BY open_time LIMIT since.depth)
        ) bar
        """,
        list(range(len(keys))),
        [key.symbol for key in keys],
        [key.moment for key in keys],
        [key.depth for key in keys],
        venue.timeframe,
        venue.timeframe.duration,
    )
    last: dict[Since, Bar] = {}
    met: dict[Since, list[Bar]] = {key: [] for key in keys}
    for key, is_met, symbol, timeframe, *rest in rows:
        bar = Bar(symbol, Timeframe(timeframe), *rest)
        if is_met:
            met[keys[key]].append(bar)
        else:
            last[keys[key]] = bar
    return {key: Around(last.get(key), met[key]) for key in keys}
