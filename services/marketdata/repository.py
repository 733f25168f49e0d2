"""What is the SQL? Instruments one by one, bars in sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select, tuple_
from sqlalchemy.dialects.postgresql import insert

from libs.kit.db import Tx
from libs.kit.ids import uuid7
from libs.schema.values import Timeframe
from services.marketdata.model import AssetClass, Bar, Instrument, Series

SeriesKey = tuple[str, Timeframe]
BarKey = tuple[str, Timeframe, datetime]


async def listed_currencies(tx: Tx, symbols: Iterable[str]) -> dict[str, str]:
    """What those of the symbols that are listed are quoted in."""
    rows = await tx.fetch(
        "SELECT symbol, currency FROM marketdata.instrument WHERE symbol = ANY($1::text[])", list(symbols)
    )
    return {row["symbol"]: row["currency"] for row in rows}


async def lock_series(tx: Tx, keys: Iterable[SeriesKey]) -> dict[SeriesKey, Series]:
    """The series, made where they are missing, locked in one order so that two batches can't wait for each other."""
    wanted = sorted(keys)
    made = [{"id": uuid7(), "symbol": symbol, "timeframe": timeframe, "version": 0} for symbol, timeframe in wanted]
    await tx.execute(insert(Series).values(made).on_conflict_do_nothing())
    statement = (
        select(Series)
        .where(tuple_(Series.symbol, Series.timeframe).in_(wanted))
        .order_by(Series.symbol, Series.timeframe)
        .with_for_update()
    )
    return {(series.symbol, Timeframe(series.timeframe)): series for series in await tx.scalars(statement)}


async def find_bars(tx: Tx, bars: Sequence[Bar]) -> dict[BarKey, Bar]:
    """The bars that are kept under the keys of these, by key."""
    rows = await tx.fetch(
        """
        SELECT b.symbol, b.timeframe, b.open_time, b.open, b.high, b.low, b.close, b.volume
        FROM unnest($1::text[], $2::text[], $3::timestamptz[]) k (symbol, timeframe, open_time)
        JOIN marketdata.bar b USING (symbol, timeframe, open_time)
        """,
        *(list(column) for column in zip(*(bar.key for bar in bars), strict=True)),
    )
    found = [Bar(row[0], Timeframe(row[1]), *row[2:]) for row in rows]
    return {bar.key: bar for bar in found}


async def insert_bars(tx: Tx, bars: Sequence[Bar], series: Mapping[SeriesKey, Series]) -> None:
    """Keep new bars, all in one statement."""
    columns = zip(
        *(
            (*bar.key, bar.open, bar.high, bar.low, bar.close, bar.volume, series[bar.symbol, bar.timeframe].id)
            for bar in bars
        ),
        strict=True,
    )
    await tx.fetch(
        """
        INSERT INTO marketdata.bar (symbol, timeframe, open_time, open, high, low, close, volume, series_id)
        SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::numeric[], $5::numeric[], $6::numeric[],
                             $7::numeric[], $8::numeric[], $9::uuid[])
        """,
        *map(list, columns),
    )


async def update_bars(tx: Tx, bars: Sequence[Bar]) -> None:
    """Replace the figures of bars that are kept, all in one statement."""
    columns = zip(*((*bar.key, bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in bars), strict=True)
    await tx.fetch(
        """
        UPDATE marketdata.bar b
        SET open = v.open, high = v.high, low = v.low, close = v.close, volume = v.volume
        FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::numeric[], $5::numeric[], $6::numeric[],
                    $7::numeric[], $8::numeric[]) v (symbol, timeframe, open_time, open, high, low, close, volume)
        WHERE (b.symbol, b.timeframe, b.open_time) = (v.symbol, v.timeframe, v.open_time)
        """,
        *map(list, columns),
    )


async def insert_instrument(
    tx: Tx, *, symbol: str, name: str, asset_class: AssetClass, currency: str, time_zone: str | None
) -> Instrument | None:
    """The new instrument, or None when the symbol is taken; of several at once, one gets it."""
    said = {"symbol": symbol, "name": name, "asset_class": asset_class, "currency": currency, "time_zone": time_zone}
    statement = (
        insert(Instrument)
        .values(id=uuid7(), version=0, **said)
        .on_conflict_do_nothing(index_elements=[Instrument.symbol])
        .returning(Instrument)
    )
    return await tx.scalar(statement)
