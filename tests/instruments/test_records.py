"""Poison is buried by whoever would have listened to it, and by nobody else; duplicates change nothing."""

from __future__ import annotations

from random import Random

import asyncpg

from fillstream.contexts import load
from libs.schema.marketdata import BarClosed
from libs.schema.orders import OrderFilled
from tests.instruments.records import Sent, is_refused, poisons, send, send_again, unburied
from tests.kit.builders import a_bar
from tests.proof.invariants import check
from tests.world import World


async def missing(world: World, sent: list[Sent], *names: str) -> list[str]:
    database = await asyncpg.connect(world.settings.database_url.get_secret_value())
    try:
        return await unburied(database, world.settings, [load(name) for name in names], sent)
    finally:
        await database.close()


async def test_poison_is_among_the_dead_letters_of_those_who_listen(world: World) -> None:
    sent = await send(world.settings, [*poisons(BarClosed, Random(1)), *poisons(OrderFilled, Random(2))])
    assert await missing(world, sent, "orders"), "nobody runs yet, and still all is buried"
    async with world.running("orders"):
        await world.settled("orders")
    assert await missing(world, sent, "orders") == []
    # Not of those that portfolio would have listened to.
    assert len(await missing(world, sent, "portfolio")) >= 13


async def test_the_checker_knows_poison_and_accepts_it_where_it_is_buried(world: World) -> None:
    sent = await send(world.settings, poisons(BarClosed, Random(1)))
    listeners = [name for name in ("orders", "portfolio", "signals") if BarClosed in load(name).listens_to()]
    for name in listeners:
        async with world.running(name):
            await world.settled(name)
    assert await missing(world, sent, *listeners) == []
    bars = [violation for violation in await check(world.settings) if "notifications" not in str(violation)]
    assert bars == []


async def test_what_is_larger_than_a_topic_takes_is_refused(world: World) -> None:
    assert await is_refused(world.settings, BarClosed)


async def test_records_are_sent_again_as_they_were(world: World) -> None:
    for day in range(6):
        await world.publish(a_bar(day=day))
    await world.expect(BarClosed, 6)
    assert await send_again(world.settings, BarClosed.topic, at_most=100) == 6
    assert await send_again(world.settings, BarClosed.topic, at_most=2) <= 4
    async with world.running("orders"):
        await world.settled("orders")
    assert len(world.published(BarClosed)) == 6
    assert len(world._seen) > 12  # noqa: SLF001 as often as they were sent
    assert [row[0] for row in await world.fetch("SELECT count(*) FROM orders.inbox")] == [6]
