"""What can be read? Instruments, and bars in the order of their times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, tuple_

from libs.kit.db import Tx
from libs.kit.errors import NotFound
from libs.kit.http.pagination import PageRequest
from libs.schema.values import Timeframe
from services.marketdata.model import Bar, BarRow, Instrument


@dataclass(frozen=True, slots=True)
class BarFilter:
    """Which bars: of one instrument and timeframe, with `start` <= open time < `end`."""

    symbol: str
    timeframe: Timeframe
    start: datetime | None = None
    end: datetime | None = None


async def instruments(tx: Tx, page: PageRequest) -> Sequence[Instrument]:
    """Listed instruments, the oldest first."""
    statement = select(Instrument).order_by(Instrument.created_at, Instrument.id).limit(page.limit + 1)
    if page.after is not None:
        statement = statement.where(tuple_(Instrument.created_at, Instrument.id) > (page.after.at, page.after.id))
    return await tx.scalars(statement)


async def instrument(tx: Tx, symbol: str) -> Instrument:
    """One instrument. Raises NotFound."""
    found = await tx.scalar(select(Instrument).where(Instrument.symbol == symbol))
    if found is None:
        raise NotFound("instrument", symbol)
    return found


async def bars(tx: Tx, wanted: BarFilter, page: PageRequest) -> list[Bar]:
    """Bars in the order of their times. Raises NotFound when the instrument is not listed."""
    await instrument(tx, wanted.symbol)
    statement = (
        select(BarRow)
        .where(BarRow.symbol == wanted.symbol, BarRow.timeframe == wanted.timeframe)
        .order_by(BarRow.open_time)
        .limit(page.limit + 1)
    )
    if wanted.start is not None:
        statement = statement.where(BarRow.open_time >= wanted.start)
    if wanted.end is not None:
        statement = statement.where(BarRow.open_time < wanted.end)
    if page.after is not None:
        statement = statement.where(BarRow.open_time > page.after.at)
    return [row.bar() for row in await tx.scalars(statement)]
