"""What happens to a batch that is too much for one transaction? It is halved until it fits, and nothing stands still."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kit import consumer as consumer_module
from libs.kit.batch_size import BatchSize
from libs.kit.consumer import consumer
from libs.kit.db import Tx, database
from libs.kit.giving_way import giving_way
from libs.kit.handlers import on
from libs.kit.health import Probe
from libs.kit.settings import Settings
from libs.schema.event import Envelope
from libs.schema.marketdata import BarClosed
from tests.kit.builders import a_bar
from tests.kit.probe import Admin
from tests.world import World, eventually

_MOST = 3
"""What the tests' transactions can do."""
TooMuch = Callable[[Tx, Admin], Awaitable[object]]


async def the_server_ends_it(_tx: Tx, admin: Admin) -> None:
    await admin.kill_connections()


async def a_statement_runs_into_its_limit(tx: Tx, _admin: Admin) -> None:
    await tx.fetch("SET LOCAL statement_timeout = 1")
    await tx.fetch("SELECT pg_sleep(60)")


async def it_takes_for_ever(_tx: Tx, _admin: Admin) -> None:
    await asyncio.Event().wait()


async def note(tx: Tx, bars: Sequence[Envelope[BarClosed]]) -> None:
    await tx.fetch(
        "INSERT INTO probe.effect (event_id, key, sequence) SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[])",
        [bar.id for bar in bars],
        [bar.event.symbol for bar in bars],
        [bar.sequence for bar in bars],
    )


@asynccontextmanager
async def taking_few(
    settings: Settings, too_much: Callable[[Tx], Awaitable[object]], sizes: list[int]
) -> AsyncIterator[Probe]:
    """A consumer whose transactions can do three records; `sizes` are those of the ones that came to their end."""

    @on(BarClosed)
    async def take(tx: Tx, bars: Sequence[Envelope[BarClosed]]) -> None:
        await note(tx, bars)
        if len(bars) > _MOST:
            await too_much(tx)
        sizes.append(len(bars))

    async with database(settings, "probe") as db, consumer(db, settings, [take]) as probe:
        yield probe


async def effects(admin: Admin, count: int) -> list[int]:
    async def enough() -> list[int]:
        found = [sequence for _, sequence in await admin.effects()]
        assert len(found) >= count, f"{len(found)} of {count}"
        return found

    return await eventually(enough, patience=60)


@pytest.mark.parametrize("too_much", [the_server_ends_it, a_statement_runs_into_its_limit, it_takes_for_ever])
async def test_a_batch_that_is_too_much_is_halved_until_it_fits(
    world: World, admin: Admin, settings: Settings, too_much: TooMuch
) -> None:
    rows = [world.envelope(a_bar(day=day), sequence=day + 1) for day in range(40)]
    await world.send(*rows)
    sizes: list[int] = []
    in_time = settings.model_copy(update={"stall_seconds": 0.5})
    chosen = in_time if too_much is it_takes_for_ever else settings
    async with taking_few(chosen, lambda tx: too_much(tx, admin), sizes):
        assert await effects(admin, 40) == list(range(1, 41))
    assert await admin.letters() == []
    # By pairs, not one by one: that would be a thousand commits where hundreds do.
    assert [size for size in sizes if size <= _MOST].count(2) >= 15, sizes


async def test_an_event_that_is_too_much_by_itself_dies_and_others_go_on(
    world: World, admin: Admin, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_module, "IDLE_IN_TRANSACTION_SECONDS", 0.01)
    monkeypatch.setattr(consumer_module, "_ATTEMPT_DELAYS", (0.01, 0.01))

    @on(BarClosed)
    async def take(tx: Tx, bars: Sequence[Envelope[BarClosed]]) -> None:
        await note(tx, bars)
        if any(bar.event.symbol == "HUGE" for bar in bars):
            await tx.fetch("SELECT pg_sleep(0.02)")
            await the_server_ends_it(tx, admin)

    symbols = ["AAPL", "HUGE", "IBM", "MSFT"] * 3
    await world.send(*(world.envelope(a_bar(symbol, n // 4), sequence=n // 4 + 1) for n, symbol in enumerate(symbols)))
    async with database(settings, "probe") as db, consumer(db, settings, [take]):
        await effects(admin, 9)

        async def buried() -> None:
            assert len(await admin.letters()) == 3

        await eventually(buried, patience=60)
    assert [(key, state) for key, state, _ in await admin.letters()] == [
        ("HUGE", "dead"),
        ("HUGE", "parked"),
        ("HUGE", "parked"),
    ]
    assert {key for key, _ in await admin.effects()} == {"AAPL", "IBM", "MSFT"}


@given(st.integers(1, 1_000), st.integers(1, 10_000))
def test_what_fits_is_found_and_the_most_is_reached_again(fits: int, records: int) -> None:
    """Whatever the limit of a transaction is, batches end; when it is lifted, they are full again."""
    size = BatchSize(most=1_000, records=1_000)
    done = tries = 0
    while done < records:
        part = min(size.records, records - done)
        tries += 1
        if part > fits:
            size.halve(part)
        else:
            size.grow(part)
            done += part
    # Of nine tries one is too much at most, but for the ten that it takes to find what fits.
    assert tries <= (2 * records / fits + 1) * 9 / 8 + 11
    for _ in range(80):
        size.grow(size.records)
    assert size.records == 1_000


def test_a_batch_that_was_not_full_says_nothing_about_more() -> None:
    size = BatchSize(most=1_000, records=8)
    for _ in range(100):
        size.grow(7)
    assert size.records == 8


async def test_long_work_in_memory_leaves_others_their_turns() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(others())
    numbers = [number async for number in giving_way(range(300_000))]
    other.cancel()
    assert numbers == list(range(300_000))
    assert turns > 1
