"""How do events leave? In order, moved once acknowledged, one relay at a time, and a bad record stops its key alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from prometheus_client import REGISTRY

from libs.kit.cancellation import end
from libs.kit.db import Database
from libs.kit.health import Probe
from libs.kit.ids import uuid7
from libs.kit.relay import Relay, relay
from libs.kit.settings import Settings
from libs.schema.event import DomainEvent
from libs.schema.marketdata import BarClosed, InstrumentListed
from libs.schema.notifications import NotificationDelivered
from tests.kit.builders import a_bar
from tests.kit.probe import Admin, count_up
from tests.world import PATIENCE_SECONDS, World, eventually


class Series:
    """Whatever publishes bars."""

    def __init__(self) -> None:
        self.id, self.version, self.tenant = uuid7(), 0, None


class WindBlew(DomainEvent, topic="weather.v1", key="place"):
    """An event whose topic nobody made."""

    place: str


@pytest.fixture
async def relaying(db: Database, settings: Settings, topics: None) -> AsyncIterator[None]:
    async with relay(db, settings):
        yield


async def publish(db: Database, *events: DomainEvent) -> None:
    async with db.public() as tx:
        tx.publish(Series(), *events)


async def waiting(admin: Admin) -> list[str]:
    return [row[0] for row in await admin.fetch("SELECT key FROM probe.outbox ORDER BY id")]


async def nothing_waits(admin: Admin) -> None:
    async def empty() -> None:
        assert await waiting(admin) == []

    await eventually(empty)


async def test_events_leave_in_the_order_of_their_writing(world: World, db: Database, relaying: None) -> None:
    events = [a_bar(symbol, day) for day in range(100) for symbol in ("AAPL", "IBM", "MSFT")]
    for start in range(0, 300, 60):
        await publish(db, *events[start : start + 60])

    found = await world.expect(BarClosed, 300)
    for symbol in ("AAPL", "IBM", "MSFT"):
        assert [e.event for e in found if e.event.symbol == symbol] == [e for e in events if e.symbol == symbol]


async def test_an_event_whose_transaction_ends_late_leaves_after_younger_ones(
    world: World, db: Database, admin: Admin, relaying: None
) -> None:
    async with db.public() as slow:
        slow.publish(Series(), a_bar("AAPL"))
        await slow.write_events()
        await publish(db, a_bar("IBM"), a_bar("MSFT"))
        await world.expect(BarClosed, 2)
        await nothing_waits(admin)

    await nothing_waits(admin)
    found = await world.expect(BarClosed, 3)
    assert found[-1].event.symbol == "AAPL"


async def test_while_one_relay_sends_no_other_sends_what_comes_after(
    world: World, db: Database, settings: Settings
) -> None:
    """The first relay is slow with a batch of a key; a second one meets the key's later events."""
    slow, second = Relay(db, settings), Relay(db, settings)
    in_hand, go = asyncio.Event(), asyncio.Event()
    send = slow._send  # noqa: SLF001 between reading and sending

    async def send_slowly(client: AIOKafkaProducer, items: Sequence[object]) -> object:
        if items:
            in_hand.set()
            await go.wait()
        return await send(client, items)  # type: ignore[arg-type]

    async def second_looks() -> None:
        before = second._last_pass  # noqa: SLF001 it moves with every look at the lock, and with every pass

        async def looked() -> None:
            assert second._last_pass > before  # noqa: SLF001

        await eventually(looked)

    slow._send = send_slowly  # type: ignore[method-assign,assignment]  # noqa: SLF001
    tasks = [asyncio.create_task(slow.run())]
    try:
        await publish(db, *(a_bar(day=day) for day in range(3)))
        await asyncio.wait_for(in_hand.wait(), PATIENCE_SECONDS)
        tasks.append(asyncio.create_task(second.run()))
        await publish(db, *(a_bar(day=day) for day in range(3, 6)))
        for _ in range(2):  # a whole pass, if it makes passes
            await second_looks()
        go.set()
        found = await world.expect(BarClosed, 6)
    finally:
        await end(*tasks)

    assert [e.event.open_time for e in found] == [a_bar(day=day).open_time for day in range(6)]


async def test_what_was_acknowledged_is_moved_whole_to_the_log(db: Database, admin: Admin, relaying: None) -> None:
    tenant = uuid7()
    async with db.transaction(tenant) as tx:
        counter = await count_up(tx, tenant, "clicks")

    await nothing_waits(admin)
    [row] = await admin.fetch("SELECT * FROM probe.event_log")
    assert (row["tenant_id"], row["subject"], row["sequence"], row["key"]) == (tenant, counter.id, 1, str(tenant))
    assert row["type"] == "notifications.NotificationDelivered.v1"
    assert '"title":"clicks 1"' in row["data"]


async def test_an_event_carries_its_tenant_cause_and_place(world: World, db: Database, relaying: None) -> None:
    tenant = uuid7()
    async with db.transaction(tenant) as tx:
        counter = await count_up(tx, tenant, "clicks")

    [envelope] = await world.expect(NotificationDelivered, 1)
    assert (envelope.tenant_id, envelope.subject, envelope.sequence) == (tenant, counter.id, 1)
    assert (envelope.source, envelope.cause, envelope.recorded_at) == ("probe", tx.cause, tx.now)


async def test_of_two_relays_one_works_and_the_other_takes_over(
    world: World, db: Database, settings: Settings, admin: Admin
) -> None:
    first, second = Relay(db, settings), Relay(db, settings)
    leading: list[Relay] = []
    for one in (first, second):
        _note_terms(one, leading)
    tasks = [asyncio.create_task(one.run()) for one in (first, second)]
    try:
        await publish(db, *(a_bar(day=day) for day in range(10)))
        await world.expect(BarClosed, 10)
        assert len(leading) == 1
        await _kill_leader(admin)
        await publish(db, *(a_bar(day=day) for day in range(10, 20)))
        found = await world.expect(BarClosed, 20)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert len(leading) >= 2
    assert [e.event.open_time for e in found] == [a_bar(day=day).open_time for day in range(20)]


def _note_terms(one: Relay, leading: list[Relay]) -> None:
    wait = one._wait_for_lock  # noqa: SLF001 there is no other way to see who leads

    async def noted(connection: object) -> None:
        await wait(connection)  # type: ignore[arg-type]
        leading.append(one)

    one._wait_for_lock = noted  # type: ignore[method-assign]  # noqa: SLF001


async def _kill_leader(admin: Admin) -> None:
    killed = await admin.fetch("""
        SELECT pg_terminate_backend(l.pid, 5000) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
        WHERE l.locktype = 'advisory' AND l.granted AND d.datname = current_database()""")
    assert len(killed) == 1


async def test_two_relays_at_work_send_nothing_twice(
    world: World, db: Database, settings: Settings, admin: Admin
) -> None:
    async with AsyncExitStack() as both:
        for _ in range(2):
            await both.enter_async_context(relay(db, settings))
        for day in range(20):
            await publish(db, a_bar(day=day))
        await nothing_waits(admin)
        await world.expect(BarClosed, 20)
    assert len(world._seen) == 20  # noqa: SLF001 published() hides redeliveries


async def test_a_record_that_is_refused_stops_its_key_alone(world: World, db: Database, admin: Admin) -> None:
    lost = WindBlew(occurred_at=a_bar().occurred_at, place="Brest")
    await publish(db, lost, a_bar("AAPL"), lost, a_bar("IBM"))

    async with relay(db, world.settings):
        found = await world.expect(BarClosed, 2)

        async def sent() -> None:
            assert await waiting(admin) == ["Brest", "Brest"]

        await eventually(sent)
        await publish(db, a_bar("MSFT"))
        await world.expect(BarClosed, 3)
        assert REGISTRY.get_sample_value("fillstream_outbox_depth", {"context": "probe"}) in (2.0, 3.0)
    assert [e.event.symbol for e in found] == ["AAPL", "IBM"]


async def test_a_record_that_is_too_large_stops_its_key_alone(world: World, db: Database, admin: Admin) -> None:
    await publish(db, a_bar("AAPL"), a_bar("IBM"), a_bar("AAPL", day=1))
    await admin.fetch("UPDATE probe.outbox SET data = repeat('x', 1100000) WHERE key = 'AAPL' AND sequence = 1")

    async with relay(db, world.settings):
        await world.expect(BarClosed, 1)

        async def sent() -> None:
            assert await waiting(admin) == ["AAPL", "AAPL"]

        await eventually(sent)
    assert [e.event.symbol for e in world.published(BarClosed)] == ["IBM"]


async def test_what_was_read_while_a_record_is_refused_does_not_overtake_it(
    world: World, db: Database, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.kit.relay._BATCH", 1)
    monkeypatch.setattr("libs.kit.relay._BLOCK_SECONDS", 0.0)
    await publish(db, a_bar("AAPL"), a_bar("AAPL", day=1))
    await admin.fetch("UPDATE probe.outbox SET data = repeat('x', 1100000) WHERE sequence = 1")

    worker = Relay(db, world.settings)
    send, sizes = worker._send, list[int]()  # noqa: SLF001 only there it shows what goes out together

    async def counted(client: AIOKafkaProducer, items: Sequence[object]) -> object:
        sizes.append(len(items))
        return await send(client, items)  # type: ignore[arg-type]

    worker._send = counted  # type: ignore[method-assign,assignment]  # noqa: SLF001
    task = asyncio.create_task(worker.run())

    async def tried_twice() -> None:
        assert len(sizes) >= 2

    try:
        await eventually(tried_twice)
    finally:
        await end(task)
    assert await waiting(admin) == ["AAPL", "AAPL"]


async def test_an_event_of_nearly_the_largest_size_arrives(world: World, db: Database, relaying: None) -> None:
    listed = InstrumentListed(
        occurred_at=a_bar().occurred_at,
        instrument_id=uuid7(),
        symbol="AAPL",
        name="x" * 899_000,
        asset_class="EQUITY",
        currency="USD",
    )
    await publish(db, listed)

    [envelope] = await world.expect(InstrumentListed, 1)
    assert envelope.event == listed


async def test_a_relay_that_dies_between_acknowledgement_and_move_sends_again(
    world: World, db: Database, settings: Settings, admin: Admin
) -> None:
    await publish(db, a_bar("AAPL"), a_bar("IBM"))
    dying = Relay(db, settings)
    acknowledged = asyncio.Event()
    send = dying._send  # noqa: SLF001 the place to die is inside

    async def send_and_hang(client: AIOKafkaProducer, items: object) -> object:
        outcome = await send(client, items)  # type: ignore[arg-type]
        acknowledged.set()
        await asyncio.Event().wait()
        return outcome

    dying._send = send_and_hang  # type: ignore[method-assign,assignment]  # noqa: SLF001
    task = asyncio.create_task(dying.run())
    await acknowledged.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await waiting(admin) == ["AAPL", "IBM"]

    async with relay(db, settings):
        await nothing_waits(admin)

        async def seen_twice() -> None:
            assert len(world._seen) == 4  # noqa: SLF001

        await eventually(seen_twice)
    assert len(await world.expect(BarClosed, 2)) == 2


async def test_the_relay_goes_on_when_the_database_comes_back(
    world: World, db: Database, settings: Settings, admin: Admin
) -> None:
    async with relay(db, settings):
        await publish(db, a_bar("AAPL"))
        await world.expect(BarClosed, 1)
        async with admin.away():
            await asyncio.sleep(0.1)
        await eventually(lambda: _published(db, a_bar("IBM")))
        await world.expect(BarClosed, 2)


async def _published(db: Database, event: DomainEvent) -> None:
    await publish(db, event)


async def test_a_relay_that_completes_no_pass_is_not_well(db: Database, settings: Settings, topics: None) -> None:
    hasty = settings.model_copy(update={"stall_seconds": 0.3})
    standing = Relay(db, hasty)

    async def hang(_client: object, _items: object) -> None:
        await asyncio.Event().wait()

    standing._send = hang  # type: ignore[method-assign,assignment]  # noqa: SLF001
    probe = Probe("relay", standing.probe)
    assert await probe.failure() is None
    task = asyncio.create_task(standing.run())
    try:

        async def noticed() -> None:
            assert "not completed a pass" in (await probe.failure() or "")

        await eventually(noticed)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_relay_at_rest_goes_on_completing_passes(db: Database, settings: Settings, topics: None) -> None:
    resting = Relay(db, settings)
    task = asyncio.create_task(resting.run())
    try:
        before = resting._last_pass  # noqa: SLF001

        async def moved() -> None:
            assert resting._last_pass > before + 0.3  # noqa: SLF001 with nothing to wake it, it polls

        await eventually(moved)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_relay_that_lost_its_lock_shows_no_old_figures(
    world: World, db: Database, settings: Settings, admin: Admin, topics: None
) -> None:
    successor = await asyncpg.connect(admin.url)
    lock, key = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))", "relay:probe"
    await publish(db, WindBlew(occurred_at=a_bar().occurred_at, place="Brest"))

    def depth() -> float | None:
        return REGISTRY.get_sample_value("fillstream_outbox_depth", {"context": "probe"})

    async def measured() -> None:
        assert depth() == 1

    async def taken_over() -> None:
        await _end_leaders(admin)
        assert await successor.fetchval(lock, key)

    async def forgotten() -> None:
        assert depth() == 0

    async with relay(db, settings):
        await eventually(measured)
        await eventually(taken_over)
        await eventually(forgotten)
    await successor.close()


async def _end_leaders(admin: Admin) -> None:
    await admin.fetch("""
        SELECT pg_terminate_backend(l.pid, 5000) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
        WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database()
          AND a.application_name = 'fillstream-probe-worker'""")


async def test_a_standby_is_well(db: Database, settings: Settings, topics: None) -> None:
    async with relay(db, settings), relay(db, settings) as standby:
        assert await standby.failure() is None
