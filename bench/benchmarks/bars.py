"""How fast are bars imported? A CSV file to checked bars and their events, against COPY of rows that are there."""

from __future__ import annotations

import csv
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.effort import Effort
from bench.report import AtLeast, Row, compared
from bench.stage import Stage
from bench.turns import in_turns
from fillstream.contexts import load
from fillstream.replay import import_all, list_instruments
from libs.kit.db import Database, database
from libs.kit.outbox import OutboxRow
from libs.schema.values import Timeframe
from services.marketdata.csv_bars import Reading, read_lines

_TABLES = ("marketdata.bar", "marketdata.outbox")
_SYMBOLS = 20
_BAR = ("symbol", "timeframe", "open_time", "open", "high", "low", "close", "volume", "series_id")


async def measure(place: Stage) -> Sequence[Row]:
    """Bars a second."""
    count, file = place.sized(40_000, 2_000), place.home / "bars.csv"
    _write(file, count)
    async with database(place.where.of(load("marketdata")), "marketdata") as db:
        await list_instruments(db, {_symbol(number): "USD" for number in range(_SYMBOLS)})
        await _import(place, db, file)
        bars, events = await _rows(place)

        effort = Effort()

        async def ours(_: str) -> float:
            await place.reset(*_TABLES)
            with effort.turn():
                seconds = await _import(place, db, file)
            return await _rate(place, seconds, count, count)

        async def both(_: str) -> float:
            await place.reset(*_TABLES)
            return await _rate(place, await _copy(place, bars, events), count, count)

        async def alone(_: str) -> float:
            await place.reset(*_TABLES)
            return await _rate(place, await _copy(place, bars, []), count, 0)

        rates = await in_turns(place.sized(3, 1), {"ours": ours, "both": both, "alone": alone})
    measured, note = "bars from CSV to bars and events", effort.note(count, "bar")
    return [
        compared(measured, "1/s", rates["ours"], "COPY of the same rows", rates["both"], AtLeast(0.6), note=note),
        compared(measured, "1/s", rates["ours"], "COPY of the bars without their events", rates["alone"]),
    ]


def _symbol(number: int) -> str:
    return f"BENCH{number}"


def _write(file: Path, count: int) -> None:
    first = datetime(2024, 1, 2, tzinfo=UTC)
    with file.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(("ticker", "date", "open", "high", "low", "close", "volume"))
        for number in range(count):
            opened = first + timedelta(minutes=number // _SYMBOLS)
            cents = number % 500
            writer.writerow((
                _symbol(number % _SYMBOLS), opened.isoformat(), f"118.{cents:03}", f"120.{cents:03}", f"117.{cents:03}",
                f"119.{cents:03}", 1_000 + number,
            ))  # fmt: skip


async def _import(place: Stage, db: Database, file: Path) -> float:
    """What `fillstream bars import` does once it is connected."""

    async def told(_moment: datetime, _count: int) -> None:
        return

    started = time.perf_counter()
    await import_all(db, [line.bar for line in read_lines(file, Reading(Timeframe.M1))], told)
    return time.perf_counter() - started


async def _rows(place: Stage) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """What an import has written, to be copied again."""
    admin = await place.connect("marketdata")
    bars = await admin.fetch(f"SELECT {', '.join(_BAR)} FROM bar")
    events = await admin.fetch(f"SELECT {', '.join(OutboxRow._fields)} FROM outbox WHERE topic = 'bars.v1'")
    await admin.close()
    return [tuple(row) for row in bars], [tuple(row) for row in events]


async def _copy(place: Stage, bars: Sequence[tuple[object, ...]], events: Sequence[tuple[object, ...]]) -> float:
    admin = await place.connect("marketdata")
    started = time.perf_counter()
    async with admin.transaction():
        await admin.copy_records_to_table("bar", records=bars, columns=_BAR)
        if events:
            await admin.copy_records_to_table("outbox", records=events, columns=OutboxRow._fields)
    seconds = time.perf_counter() - started
    await admin.close()
    return seconds


async def _rate(place: Stage, seconds: float, bars: int, events: int) -> float:
    admin = await place.connect("marketdata")
    [counts] = await admin.fetch("SELECT (SELECT count(*) FROM bar), (SELECT count(*) FROM outbox)")
    await admin.close()
    if tuple(counts) != (bars, events):
        raise AssertionError(f"there are {counts[0]} bars and {counts[1]} events, {bars} and {events} expected")
    return bars / seconds
