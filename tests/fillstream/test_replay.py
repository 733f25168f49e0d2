"""What is replayed comes in the order of time, waits for what follows from it, and is imported whole or not at all."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from fillstream.embedded.stack import Endpoints
from fillstream.installation import Installation
from fillstream.replay import (
    NoData,
    Selection,
    import_all,
    list_instruments,
    load_lines,
    replay_freely,
    replay_in_lockstep,
    timestamps,
)
from libs.kit.db import Database, database
from libs.kit.errors import Conflict
from libs.kit.settings import Settings
from libs.schema.values import Timeframe
from services.marketdata.csv_bars import CsvError, Reading
from services.marketdata.model import Bar
from tests.fillstream.builders import (
    MONDAY,
    SMALL_WORKSPACES,
    a_bar,
    a_house,
    a_walk,
    an_installation,
    no_step,
    together,
)
from tests.fillstream.comparing import fills_of, points_of
from tests.timing import taking_at_least

ALL = Selection((), date(1900, 1, 1), date(2100, 1, 1))
USD = {"AAPL": "USD", "IBM": "USD"}
LINES = "date,open,high,low,close,volume\n2011-03-01,1,2,1,2,5\n2011-03-02,2,3,2,3,5\n"


def load(folder: Path, wanted: Selection) -> list[Bar]:
    return [line.bar for line in load_lines(folder, wanted, Reading())]


def test_the_bars_of_one_close_come_together_in_the_order_of_the_closes() -> None:
    bars = [a_bar("IBM", day=1), a_bar("AAPL", day=0), a_bar("AAPL", day=1), a_bar("IBM", day=0)]
    found = [(moment, [bar.symbol for bar in group]) for moment, group in timestamps(bars)]
    assert [symbols for _, symbols in found] == [["AAPL", "IBM"], ["IBM", "AAPL"]]
    assert [moment for moment, _ in found] == sorted(bar.close_time for bar in bars)[::2]


def test_a_short_bar_comes_when_it_closes_and_not_when_it_opens() -> None:
    day = a_bar()
    hour = type(day)("AAPL", Timeframe.H1, MONDAY, day.open, day.high, day.low, day.close, day.volume)
    assert [group for _, group in timestamps([day, hour])] == [[hour], [day]]


@pytest.mark.parametrize(
    ("symbols", "start", "end", "taken"),
    [
        ((), date(2011, 3, 7), date(2011, 3, 7), True),
        (("AAPL",), date(2011, 3, 1), date(2011, 3, 31), True),
        (("IBM",), date(2011, 3, 1), date(2011, 3, 31), False),
        ((), date(2011, 3, 8), date(2011, 3, 31), False),
        ((), date(2011, 3, 1), date(2011, 3, 6), False),
    ],
)
def test_a_selection_has_both_its_ends(symbols: tuple[str, ...], start: date, end: date, taken: bool) -> None:  # noqa: FBT001
    assert Selection(symbols, start, end).takes(a_bar()) is taken


def test_a_folders_files_are_merged_in_the_order_of_time(tmp_path: Path) -> None:
    (tmp_path / "MSFT.csv").write_text(LINES)
    (tmp_path / "IBM.csv.gz").write_bytes(gzip.compress(LINES.encode()))
    (tmp_path / "notes.txt").write_text("not for us")
    bars = load(tmp_path, ALL)
    assert [(bar.open_time.day, bar.symbol) for bar in bars] == [(1, "IBM"), (1, "MSFT"), (2, "IBM"), (2, "MSFT")]


def test_files_of_other_instruments_are_not_even_read(tmp_path: Path) -> None:
    (tmp_path / "MSFT.csv").write_text(LINES)
    (tmp_path / "broken.csv").write_text("nonsense")
    wanted = Selection(("MSFT",), date(2011, 3, 2), date(2011, 3, 2))
    assert [bar.open_time for bar in load(tmp_path, wanted)] == [datetime(2011, 3, 2, tzinfo=UTC)]
    with pytest.raises(CsvError, match=r"broken\.csv, line 1"):
        load(tmp_path, ALL)


def test_a_file_is_chosen_by_all_of_its_name(tmp_path: Path) -> None:
    for name in ("BRK.B.csv", "BRK.A.csv.gz", "BRK.csv"):
        text = LINES.encode()
        (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    for symbol in ("BRK.B", "BRK.A", "BRK"):
        assert {bar.symbol for bar in load(tmp_path, Selection((symbol,), ALL.start, ALL.end))} == {symbol}


def test_two_files_that_contradict_each_other_are_both_named(tmp_path: Path) -> None:
    (tmp_path / "MSFT.csv").write_text(LINES)
    (tmp_path / "more.csv").write_text(f"ticker,{LINES.splitlines()[0]}\nMSFT,2011-03-02,2,3,2,3,6\n")
    with pytest.raises(CsvError, match=r"more\.csv, line 2: MSFT 1d 2011-03-02\S+ contradicts \S+MSFT\.csv, line 3"):
        load(tmp_path, ALL)


def test_a_folder_without_the_bars_is_named_with_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "MSFT.csv").write_text(LINES)
    with pytest.raises(NoData, match=rf"^{tmp_path} has no bars of AAPL, IBM from 1900-01-01 to 2100-01-01$"):
        load(tmp_path, Selection(("AAPL", "IBM", "MSFT"), ALL.start, ALL.end))
    with pytest.raises(NoData, match=rf"^{tmp_path / 'absent'} has no bars of the range"):
        load(tmp_path / "absent", ALL)


@pytest.fixture
async def db(where: Installation) -> AsyncIterator[Database]:
    async with database(where.settings(Settings), "marketdata") as made:
        await list_instruments(made, USD)
        yield made


async def count(db: Database, table: str) -> int:
    async with db.work() as tx:
        return int((await tx.fetch(f"SELECT count(*) FROM {table}"))[0][0])


async def test_instruments_are_listed_once_however_often_they_are_named(db: Database) -> None:
    await list_instruments(db, {"IBM": "USD", "MSFT": "USD"})
    await list_instruments(db, {"IBM": None})
    assert (await count(db, "instrument"), await count(db, "outbox")) == (3, 3)


async def test_an_import_with_a_contradiction_in_its_middle_keeps_nothing(db: Database) -> None:
    bars = together(a_walk("AAPL", 1_500), a_walk("IBM", 200))
    await import_all(db, bars[:1], no_step)
    contradiction = replace(bars[0], close=bars[0].low)
    with pytest.raises(Conflict, match=r"AAPL 1d 2011-03-07.* contradicts the bar that is kept"):
        await import_all(db, [*bars[:1_200], contradiction, *bars[1_200:]], no_step)
    assert await count(db, "bar") == 1
    assert await count(db, "outbox") == 3


async def test_an_import_may_be_repeated(db: Database) -> None:
    bars = a_walk("AAPL", 1_200)
    seen: list[int] = []

    async def step(_moment: datetime, count: int) -> None:
        seen.append(count)

    await import_all(db, bars, step)
    await import_all(db, bars, step)
    assert seen == [1_000, 200, 1_000, 200]
    assert (await count(db, "bar"), await count(db, "outbox")) == (1_200, 1_202)


async def test_a_free_replay_keeps_to_its_rate(db: Database) -> None:
    seen: list[int] = []

    async def step(_moment: datetime, count: int) -> None:
        seen.append(count)

    with taking_at_least(0.5):
        await replay_freely(db, a_walk("AAPL", 30), 60.0, step)

    assert seen == [6, 6, 6, 6, 6]
    assert await count(db, "bar") == 30


async def test_nothing_is_in_flight_after_each_step_of_a_lockstep(where: Installation) -> None:
    async with a_house(where, SMALL_WORKSPACES) as house:
        bars = together(a_walk("AAPL", 8), a_walk("IBM", 8))
        marks: list[int] = []

        async def step(moment: datetime, count: int) -> None:
            assert count == 2
            # Nothing is waited for: whatever follows from the bars is there by now.
            await house.in_flight.wait_until_none(timeout_seconds=0)
            rows = await house.fetch("SELECT symbol FROM portfolio.mark WHERE as_of = $1", moment)
            marks.append(len(rows))

        await replay_in_lockstep(house.marketdata, house.in_flight, bars, step)
    assert marks == [2] * 8


async def test_a_free_replay_comes_to_the_same_as_a_lockstep(
    where: Installation, stack: Endpoints, template: str
) -> None:
    bars = together(a_walk("AAPL", 120), a_walk("IBM", 120))
    async with a_house(where, SMALL_WORKSPACES) as house:
        await replay_in_lockstep(house.marketdata, house.in_flight, bars, no_step)
        fills, points = await fills_of(house), await points_of(house)
    async with an_installation(stack, template) as another, a_house(another, SMALL_WORKSPACES) as house:
        await replay_freely(house.marketdata, bars, None, no_step)
        await house.in_flight.wait_until_none()
        assert await fills_of(house) == fills
        assert await points_of(house) == points
    assert all(len(fills[workspace.name]) > 10 for workspace in SMALL_WORKSPACES)
    assert all(len(found) > 10 for found in points.values())
    assert all(isinstance(point.equity, Decimal) for found in points.values() for point in found)
