"""How are past bars played back? In lockstep, one timestamp after the other when nothing is in flight, or freely."""

from __future__ import annotations

import asyncio
import importlib.util
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from pathlib import Path

from fillstream.inflight import InFlight
from libs.kit.db import Database
from libs.kit.errors import FillstreamError
from libs.schema.values import Timeframe
from services.marketdata import commands, repository
from services.marketdata.csv_bars import read_bars
from services.marketdata.model import AssetClass, Bar

_BATCH = 1_000
Step = Callable[[datetime, int], Awaitable[None]]
"""Told after each timestamp: which one, and how many bars it had."""


class NoData(FillstreamError):
    """There are no bars to replay; the text says where they were looked for."""


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


def load_bars(folder: Path, wanted: Selection, timeframe: Timeframe = Timeframe.D1) -> list[Bar]:
    """The selected bars of a folder's CSV files in the order of their times. Raises CsvError, NoData."""
    stocks = folder / "stocks.csv.gz"
    files = [stocks] if stocks.is_file() else sorted((*folder.glob("*.csv"), *folder.glob("*.csv.gz")))
    if wanted.symbols and files != [stocks]:
        files = [file for file in files if file.name.split(".")[0].upper() in wanted.symbols]
    bars = [bar for file in files for bar in read_bars(file, timeframe) if wanted.takes(bar)]
    missing = set(wanted.symbols) - {bar.symbol for bar in bars}
    if missing or not bars:
        raise NoData(
            f"{folder} has no bars of {', '.join(sorted(missing)) or 'the range'} from {wanted.start} to {wanted.end}"
        )
    return sorted(bars, key=lambda bar: (bar.open_time, bar.symbol))


def timestamps(bars: Sequence[Bar]) -> Iterator[tuple[datetime, list[Bar]]]:
    """The bars of each close, in the order of the closes."""
    ordered = sorted(bars, key=lambda bar: bar.close_time)
    return ((moment, list(group)) for moment, group in groupby(ordered, key=lambda bar: bar.close_time))


async def list_instruments(db: Database, symbols: Iterable[str]) -> None:
    """Make the instruments known that are not yet, as USD equities."""
    async with db.public() as tx:
        known = await repository.known_symbols(tx, symbols)
        for symbol in sorted(set(symbols) - known):
            await commands.list_instrument(tx, symbol, symbol, AssetClass.EQUITY, "USD")


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


async def record_all(db: Database, bars: Sequence[Bar], step: Step) -> None:
    """Record the bars all together or, where one is refused, none of them."""
    async with db.public() as tx:
        for first in range(0, len(bars), _BATCH):
            group = bars[first : first + _BATCH]
            await commands.record_bars(tx, group)
            await step(group[-1].close_time, len(group))
