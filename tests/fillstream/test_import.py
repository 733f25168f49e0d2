"""What is imported comes in the order of time, in the currency that was said, whole or not at all; a bad line is named."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from fillstream.demo.workspaces import Workspace
from fillstream.installation import Installation
from fillstream.replay import (
    Selection,
    UnknownCurrency,
    import_all,
    list_instruments,
    load_lines,
    replay_freely,
    replay_in_lockstep,
)
from libs.kit.db import Database, database
from libs.kit.settings import Settings
from libs.schema.values import plain
from services.marketdata.commands import backfill_or_correct_bars
from services.marketdata.csv_bars import Reading
from services.marketdata.model import Bar, UnfinishedBar
from services.signals.backtest import Leg
from services.signals.rules import PARAMETERS
from tests.fillstream.builders import MONDAY, a_bar, a_house, a_walk, no_step
from tests.system.commands import Done, fillstream

HEADER = "Date,Open,High,Low,Close,Volume"


def row(bar: Bar) -> str:
    return ",".join([f"{bar.open_time:%Y-%m-%d}", *map(plain, (*bar.prices, bar.volume))])


def a_file(folder: Path, name: str, rows: Sequence[str], header: str = HEADER) -> str:
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in (header, *rows)))
    return str(path)


async def imports(where: Installation, *said: str) -> Done:
    return await fillstream("bars", "import", *said, **where.environment())


@pytest.fixture
async def db(where: Installation) -> AsyncIterator[Database]:
    async with database(where.settings(Settings), "marketdata") as made:
        yield made


async def fetch(db: Database, sql: str) -> list[tuple[object, ...]]:
    async with db.work() as tx:
        return [tuple(row) for row in await tx.fetch(sql)]


async def told(db: Database) -> list[datetime]:
    """When the bars closed that are told, in the order in which that is done."""
    sql = "SELECT occurred_at FROM marketdata.outbox WHERE type = 'bars.BarClosed.v1' ORDER BY id"
    return [row[0] for row in await fetch(db, sql)]  # type: ignore[misc]


@pytest.mark.parametrize("order", ["newest first", "shuffled"])
async def test_bars_are_told_in_the_order_of_time_whatever_the_order_of_the_rows(db: Database, order: str) -> None:
    bars = a_walk("NEWF", 1_205)
    rows = bars[::-1] if order == "newest first" else random.Random(7).sample(bars, len(bars))

    await import_all(db, rows, no_step, currencies={"NEWF": "USD"})

    assert await told(db) == [bar.close_time for bar in bars]


async def test_an_import_tells_history_and_a_replay_news(db: Database) -> None:
    bars = a_walk("AAPL", 4)
    await import_all(db, bars[:2], no_step, currencies={"AAPL": "USD"})
    await replay_freely(db, bars[2:], None, no_step)

    sql = "SELECT data::jsonb -> 'backfilled' = 'true' FROM marketdata.outbox WHERE type = 'bars.BarClosed.v1' ORDER BY id"
    assert [row[0] for row in await fetch(db, sql)] == [True, True, False, False]


def _sma(symbol: str) -> Workspace:
    leg = Leg(symbol, PARAMETERS.validate_python({"kind": "sma_cross", "fast": 2, "slow": 3}), Decimal(1))
    return Workspace(symbol.lower(), (leg,))


async def test_a_replay_of_a_newest_first_file_gives_the_signals_of_an_oldest_first_one(
    where: Installation, tmp_path: Path
) -> None:
    bars = a_walk("OLDF", 60)
    a_file(tmp_path, "OLDF.csv", [row(bar) for bar in bars])
    a_file(tmp_path, "NEWF.csv", [row(bar) for bar in reversed(bars)])
    everything = Selection((), date(1900, 1, 1), date(2100, 1, 1))
    async with a_house(where, (_sma("OLDF"), _sma("NEWF")), ("OLDF", "NEWF")) as house:
        read = [line.bar for line in load_lines(tmp_path, everything, Reading())]
        await replay_in_lockstep(house.marketdata, house.in_flight, read, no_step)
        rows = await house.fetch(
            "SELECT symbol, occurred_at, signal_type, entry_price FROM signals.signal ORDER BY 1, 2"
        )
    signals = {symbol: [tuple(row)[1:] for row in rows if row[0] == symbol] for symbol in ("OLDF", "NEWF")}
    assert len(signals["OLDF"]) > 5
    assert signals["NEWF"] == signals["OLDF"]


async def test_pence_are_kept_as_pounds_and_the_instrument_is_listed_in_them(
    where: Installation, db: Database, tmp_path: Path
) -> None:
    rows = ["BP.L,GBX,2024-03-01,462,465.5,459.1,463.25,40000000", "RELIANCE.NS,INR,2024-03-01,1,1,1,1,1"]
    done = await imports(where, a_file(tmp_path, "LSE.csv", rows, f"Ticker,Currency,{HEADER}"))

    assert done.status == 0, done.err
    assert await fetch(db, "SELECT symbol, currency FROM marketdata.instrument ORDER BY 1") == [
        ("BP.L", "GBP"),
        ("RELIANCE.NS", "INR"),
    ]
    assert await fetch(db, "SELECT close FROM marketdata.bar WHERE symbol = 'BP.L'") == [(Decimal("4.6325"),)]


async def test_what_is_not_listed_is_refused_until_its_currency_is_said(
    where: Installation, db: Database, tmp_path: Path
) -> None:
    file = a_file(tmp_path, "BRK.B.csv", ["2024-01-02,356.1,362.4,355,361.2,3120000"])

    silent = await imports(where, file)
    assert silent.status == 1
    assert "nobody says what the prices are in: BRK.B. Say so with --currency" in silent.err
    assert await fetch(db, "SELECT count(*) FROM marketdata.instrument") == [(0,)]

    assert (await imports(where, file, "--currency", "USD")).status == 0
    assert await fetch(db, "SELECT symbol, currency FROM marketdata.instrument") == [("BRK.B", "USD")]
    assert await fetch(db, "SELECT symbol FROM marketdata.bar") == [("BRK.B",)]
    # It is known from now on.
    assert (await imports(where, file)).status == 0


async def test_a_replay_lists_nothing_whose_currency_nobody_says(
    where: Installation, db: Database, tmp_path: Path
) -> None:
    a_file(tmp_path, "BRK.B.csv", ["2011-03-02,356.1,362.4,355,361.2,3120000"])
    said = ("replay", "--data", str(tmp_path), "--symbol", "BRK.B", "--unlimited")

    silent = await fillstream(*said, **where.environment())
    assert (silent.status, "nobody says what the prices are in: BRK.B" in silent.err) == (1, True), silent.err
    assert (await fillstream(*said, "--currency", "USD", **where.environment())).status == 0
    assert await fetch(db, "SELECT symbol, currency FROM marketdata.instrument") == [("BRK.B", "USD")]


async def test_what_is_listed_is_never_quoted_in_another_currency(db: Database) -> None:
    await list_instruments(db, {"BP.L": "GBP"})
    with pytest.raises(UnknownCurrency, match=r"BP\.L is listed in GBP; its prices can't be in USD"):
        await import_all(db, [a_bar("BP.L")], no_step, currencies={"BP.L": "USD"})
    assert await fetch(db, "SELECT count(*) FROM marketdata.bar") == [(0,)]


async def test_an_import_that_is_refused_lists_nothing(db: Database) -> None:
    ahead = replace(a_bar("NEW"), open_time=datetime(2100, 1, 1, tzinfo=UTC))
    with pytest.raises(UnfinishedBar):
        await import_all(db, [a_bar("NEW"), ahead], no_step, currencies={"NEW": "USD"})
    assert await fetch(db, "SELECT count(*) FROM marketdata.instrument") == [(0,)]


async def test_a_line_that_contradicts_a_kept_bar_is_named_and_corrects_it_when_asked_to(
    where: Installation, db: Database, tmp_path: Path
) -> None:
    days = a_walk("DUPL", 1_100)
    await import_all(db, days, no_step, currencies={"DUPL": "USD"})
    rows = [row(bar) for bar in reversed(days)]
    wrong, new = replace(days[5], volume=Decimal(8335)), replace(days[-1], open_time=days[-1].close_time)
    rows[-6] = row(wrong)
    file = a_file(tmp_path, "DUPL.csv", [*rows, row(new)])

    refused = await imports(where, file)
    assert refused.status == 1
    assert f"line {len(days) - 6 + 2}: DUPL 1d 2011-03-12" in refused.err.replace("\n", " ")
    assert "fillstream bars import --correct" in refused.err.replace("\n", " ")
    assert await fetch(db, "SELECT count(*) FROM marketdata.bar") == [(1_100,)]

    corrected = await imports(where, file, "--correct")
    assert corrected.status == 0, corrected.err
    assert await fetch(db, "SELECT volume FROM marketdata.bar ORDER BY open_time OFFSET 5 LIMIT 1") == [(8335,)]
    assert await fetch(db, "SELECT count(*) FROM marketdata.bar") == [(1_101,)]
    types = "SELECT type, count(*) FROM marketdata.outbox WHERE topic = 'bars.v1' GROUP BY 1 ORDER BY 1"
    assert await fetch(db, types) == [("bars.BarClosed.v1", 1_101), ("bars.BarCorrected.v1", 1)]


async def test_a_bar_that_is_not_over_is_named_by_its_line(where: Installation, db: Database, tmp_path: Path) -> None:
    file = a_file(tmp_path, "AAA.csv", [row(a_bar("AAA")), "2199-12-31,1,1,1,1,1"])
    done = await imports(where, file, "--currency", "USD")
    assert (done.status, "line 3: the bar is not over yet: it closes at 2200-01-01" in done.err) == (1, True), done.err
    assert await fetch(db, "SELECT count(*) FROM marketdata.bar") == [(0,)]


@pytest.mark.parametrize("way", ["import", "correcting import", "replay"])
async def test_no_way_in_takes_a_bar_before_it_is_over(where: Installation, way: str) -> None:
    noon = MONDAY + timedelta(hours=12)
    async with database(where.settings(Settings), "marketdata", clock=lambda: noon) as db:
        await list_instruments(db, {"AAPL": "USD"})
        with pytest.raises(UnfinishedBar):
            await {
                "import": lambda: import_all(db, [a_bar()], no_step),
                "correcting import": lambda: import_all(db, [a_bar()], no_step, record=backfill_or_correct_bars),
                "replay": lambda: replay_freely(db, [a_bar()], None, no_step),
            }[way]()
        assert await fetch(db, "SELECT count(*) FROM marketdata.bar") == [(0,)]
