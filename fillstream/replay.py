"""How do past bars come in? Played in lockstep, one timestamp after the other, or freely; or recorded all together."""

from __future__ import annotations

import asyncio
import importlib.util
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from pathlib import Path
from types import MappingProxyType

from fillstream.inflight import InFlight
from libs.kit.db import Database, Tx
from libs.kit.errors import FillstreamError
from libs.schema.values import Currency, Symbol
from services.marketdata import commands, repository
from services.marketdata.csv_bars import CsvError, Line, Reading, read_lines, symbol_of, without_contradictions
from services.marketdata.model import AssetClass, Bar, BarConflict, UnfinishedBar

_BATCH = 1_000
Step = Callable[[datetime, int], Awaitable[None]]
"""Told after each timestamp: which one, and how many bars it had."""
Record = Callable[[Tx, Sequence[Bar]], Awaitable[object]]
"""What is done with bars: keeping them, or correcting those that are kept as well."""
Currencies = Mapping[Symbol, Currency | None]
"""What instruments' prices are in; None where nobody said so, which will do for those that are listed."""
PACKAGED_CURRENCY: Currency = "USD"
"""What the prices of the packaged bars are in."""


class NoData(FillstreamError):
    """There are no bars to replay; the text says where they were looked for."""


class UnknownCurrency(FillstreamError):
    """Nobody said what an instrument's prices are in, or something else than it is listed with; the text says what to do."""


@dataclass(frozen=True)
class Selection:
    """Which bars to replay: of these instruments, with `start` <= UTC date of the open <= `end`."""

    symbols: tuple[str, ...]
    start: date
    end: date

    def takes(self, bar: Bar) -> bool:
        """Whether the bar is among them."""
        return (not self.symbols or bar.symbol in self.symbols) and self.start <= bar.open_time.date() <= self.end


def packaged_data() -> Path:
    """The folder of the daily bars that come as a package. Raises NoData when the package is not installed."""
    spec = importlib.util.find_spec("bokeh_sampledata")
    if spec is None or spec.origin is None:
        raise NoData(
            "the package with the sample bars is not installed: run `make install`, or name a folder with --data"
        )
    return Path(spec.origin).parent / "_data"


def load_lines(folder: Path, wanted: Selection, reading: Reading) -> list[Line]:
    """The selected bars of a folder's CSV files in the order of their times. Raises CsvError, NoData."""
    stocks = folder / "stocks.csv.gz"
    files = [stocks] if stocks.is_file() else sorted((*folder.glob("*.csv"), *folder.glob("*.csv.gz")))
    if wanted.symbols and files != [stocks]:
        files = [file for file in files if symbol_of(file) in wanted.symbols]
    lines = [line for file in files for line in read_lines(file, reading) if wanted.takes(line.bar)]
    missing = set(wanted.symbols) - {line.bar.symbol for line in lines}
    if missing or not lines:
        raise NoData(
            f"{folder} has no bars of {', '.join(sorted(missing)) or 'the range'} from {wanted.start} to {wanted.end}"
        )
    return sorted(without_contradictions(lines), key=lambda line: (line.bar.open_time, line.bar.symbol))


@contextmanager
def naming_lines(lines: Sequence[Line]) -> Iterator[None]:
    """Say of a bar that is refused where it stands. Raises CsvError."""
    try:
        yield
    except (BarConflict, UnfinishedBar) as error:
        place = next(line.place for line in lines if line.bar == error.bar)
        raise CsvError(f"{place}: {error.reason}") from error


def timestamps(bars: Sequence[Bar]) -> Iterator[tuple[datetime, list[Bar]]]:
    """The bars of each close, in the order of the closes."""
    ordered = sorted(bars, key=lambda bar: bar.close_time)
    return ((moment, list(group)) for moment, group in groupby(ordered, key=lambda bar: bar.close_time))


async def list_instruments(db: Database, currencies: Currencies) -> None:
    """Make the instruments known that are not yet, as equities. Raises UnknownCurrency."""
    async with db.public() as tx:
        await _list(tx, currencies)


async def _list(tx: Tx, currencies: Currencies) -> None:
    listed = await repository.listed_currencies(tx, currencies)
    unknown = [symbol for symbol in sorted(currencies.keys() - listed.keys()) if currencies[symbol] is None]
    if unknown:
        raise UnknownCurrency(
            f"not listed yet, and nobody says what the prices are in: {', '.join(unknown)}. Say so with --currency, or "
            "in a column currency (USD; GBX for pence)"
        )
    for symbol, currency in sorted(currencies.items()):
        if currency is None:
            continue
        if listed.get(symbol, currency) != currency:
            raise UnknownCurrency(f"{symbol} is listed in {listed[symbol]}; its prices can't be in {currency}")
        if symbol not in listed:
            await commands.list_instrument(tx, symbol, symbol, AssetClass.EQUITY, currency)


async def replay_in_lockstep(db: Database, in_flight: InFlight, bars: Sequence[Bar], step: Step) -> None:
    """Record the bars of one timestamp; go on when all that follows from them is done."""
    for moment, group in timestamps(bars):
        async with db.public() as tx:
            await commands.record_bars(tx, group)
        await in_flight.wait_until_none()
        await step(moment, len(group))


async def replay_freely(db: Database, bars: Sequence[Bar], rate: float | None, step: Step) -> None:
    """Record the bars in order, `rate` a second, or as fast as they are taken where it is None."""
    size = _BATCH if rate is None else max(1, int(rate / 10))
    started, done = time.monotonic(), 0
    for first in range(0, len(bars), size):
        group = bars[first : first + size]
        async with db.public() as tx:
            await commands.record_bars(tx, group)
        done += len(group)
        if rate is not None:
            await asyncio.sleep(max(0.0, started + done / rate - time.monotonic()))
        await step(group[-1].close_time, len(group))


async def import_all(
    db: Database,
    bars: Sequence[Bar],
    step: Step,
    *,
    currencies: Currencies = MappingProxyType({}),
    record: Record = commands.backfill_bars,
) -> None:
    """List the instruments and keep the bars as history, all together and in the order of time, or, where one is refused, nothing."""
    # The order of a file's rows says nothing about time, and vendors begin with the newest.
    ordered = sorted(bars, key=lambda bar: (bar.open_time, bar.symbol))
    async with db.public() as tx:
        await _list(tx, currencies)
        for first in range(0, len(ordered), _BATCH):
            group = ordered[first : first + _BATCH]
            await record(tx, group)
            await step(group[-1].close_time, len(group))
