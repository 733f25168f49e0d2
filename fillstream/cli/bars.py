"""How do bars come in from the command line?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from fillstream.cli.shell import DataOption, progress_bar, report, run_on_servers
from fillstream.contexts import load, load_all
from fillstream.inflight import watch_in_flight
from fillstream.installation import Installation
from fillstream.replay import (
    PACKAGED_CURRENCY,
    Selection,
    Step,
    import_all,
    list_instruments,
    load_lines,
    naming_lines,
    packaged_data,
    replay_freely,
    replay_in_lockstep,
)
from libs.kit.db import Database, database
from libs.kit.logging import configure_logging
from libs.schema.values import Timeframe
from services.marketdata.commands import backfill_bars, backfill_or_correct_bars
from services.marketdata.csv_bars import Line, Reading, currencies_of, read_lines

app = typer.Typer(no_args_is_help=True, help="Work on bars.")
_Work = Callable[[Installation, Database, Step], Awaitable[None]]
_Day = typer.Option(formats=["%Y-%m-%d"])
CurrencyOption = Annotated[
    str | None, typer.Option(help="what prices are in, where no column says it: USD, or GBX for pence")
]


@app.callback()
def bars() -> None:
    """Work on bars."""


def replay(
    data: DataOption = None,
    symbol: Annotated[list[str] | None, typer.Option(help="an instrument; may be repeated")] = None,
    start: Annotated[datetime, _Day] = datetime(2011, 3, 1),  # noqa: DTZ001 a date
    end: Annotated[datetime, _Day] = datetime(2013, 3, 1),  # noqa: DTZ001 a date
    timeframe: Timeframe = Timeframe.D1,
    currency: CurrencyOption = None,
    rate: Annotated[float | None, typer.Option(min=0.1, help="bars a second, instead of lockstep")] = None,
    unlimited: Annotated[bool, typer.Option("--unlimited", help="as fast as possible, instead of lockstep")] = False,
) -> None:
    """Trade the past: play bars from CSV files as if they closed now, in lockstep, at a rate, or freely."""
    configure_logging("WARNING")
    wanted = Selection(tuple(symbol or ()), start.date(), end.date())
    told = currency or (PACKAGED_CURRENCY if data is None else None)
    selected = load_lines(data or packaged_data(), wanted, Reading(timeframe, currency=told))
    bars, currencies = [line.bar for line in selected], currencies_of(selected)
    report("replaying the past as news: strategies decide on it and orders trade in it")

    async def play(where: Installation, db: Database, step: Step) -> None:
        await list_instruments(db, currencies)
        if unlimited or rate is not None:
            await replay_freely(db, bars, rate, step)
            return
        async with watch_in_flight(load_all(), where.of(load("marketdata"))) as in_flight:
            await replay_in_lockstep(db, in_flight, bars, step)

    _with_progress(selected, play)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="a .csv or .csv.gz file; its name or a ticker column says the symbol")],
    timeframe: Timeframe = Timeframe.D1,
    symbol: Annotated[str | None, typer.Option(help="the instrument, where neither name nor column says it")] = None,
    currency: CurrencyOption = None,
    decimals: Annotated[
        int | None, typer.Option(min=0, max=8, help="how many prices have, so that a binary float's noise is rounded")
    ] = None,
    correct: Annotated[bool, typer.Option("--correct", help="replace bars that are kept with other figures")] = False,
) -> None:
    """Keep all bars of a CSV file as history, on which nothing is traded, or none when a line is bad."""
    configure_logging("WARNING")
    found = read_lines(file, Reading(timeframe, symbol, currency, decimals))
    bars, currencies = [line.bar for line in found], currencies_of(found)
    keep = backfill_or_correct_bars if correct else backfill_bars

    async def record(_where: Installation, db: Database, step: Step) -> None:
        await import_all(db, bars, step, currencies=currencies, record=keep)

    _with_progress(found, record)


def _with_progress(lines: Sequence[Line], work: _Work) -> None:
    async def there(where: Installation) -> None:
        with progress_bar() as progress:
            task = progress.add_task("bars", total=len(lines))

            async def step(moment: datetime, count: int) -> None:
                progress.update(task, advance=count, description=f"{moment:%Y-%m-%d}")

            async with database(where.of(load("marketdata")), "marketdata") as db:
                with naming_lines(lines):
                    await work(where, db, step)

    run_on_servers(there)
