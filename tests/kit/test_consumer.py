"""How does a context take events from the broker? All of them, once, in order, whatever breaks meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from libs.kit import consumer as consumer_module
from libs.kit.codec import headers_of
from libs.kit.consumer import Consumer
from libs.kit.ids import uuid7
from libs.kit.inbox import Arrival
from libs.kit.settings import Settings
from libs.schema.event import DomainEvent, Envelope
from libs.schema.marketdata import InstrumentListed
from libs.schema.notifications import NotificationDelivered
from tests.kit.builders import MORNING, a_bar, a_fill
from tests.kit.probe import Admin, Consuming, Faults, consuming
from tests.world import PATIENCE_SECONDS, World, eventually


async def effects(admin: Admin, count: int, *, patience: float = PATIENCE_SECONDS) -> list[tuple[str, int]]:
    """Wait for so many effects; more of them fail."""

    async def enough() -> list[tuple[str, int]]:
        found = await admin.effects()
        assert len(found) >= count, f"{len(found)} of {count} effects"
        return found

    found = await eventually(enough, patience=patience)
    assert len(found) == count
    return found


async def letters(admin: Admin, count: int) -> list[tuple[str | None, str, str]]:
    async def enough() -> list[tuple[str | None, str, str]]:
        found = await admin.letters()
        assert len(found) >= count, f"{len(found)} of {count} letters"
        return found

    return await eventually(enough)


def poisonous(symbol: str, sequence: int) -> Faults:
    """A handler that fails for one event."""

    def fail(envelope: Envelope[DomainEvent]) -> None:
        if envelope.event.partition_key() == symbol and envelope.sequence == sequence:
            raise ValueError("poison\0")

    return Faults(before=fail)


async def test_events_are_taken_once_in_the_order_of_their_keys(world: World, admin: Admin, probe: Consuming) -> None:
    rows = [
        world.envelope(a_bar(symbol, day), sequence=day + 1) for day in range(30) for symbol in ("AAPL", "IBM", "MSFT")
    ]
    await world.send(*rows)
    await world.send(*rows[40:])

    found = await effects(admin, 90)
    for symbol in ("AAPL", "IBM", "MSFT"):
        assert [n for key, n in found if key == symbol] == list(range(1, 31))


async def test_a_handlers_events_name_the_event_that_caused_them(world: World, admin: Admin, probe: Consuming) -> None:
    tenant = uuid7()
    await world.publish(a_fill(), tenant_id=tenant)

    await effects(admin, 1)
    [row] = await admin.fetch("SELECT tenant_id, data FROM probe.outbox")
    assert row["tenant_id"] == tenant
    assert NotificationDelivered.model_validate_json(row["data"]).title == "fills 1"


async def test_only_the_poisoned_event_dies_and_only_its_key_waits(
    world: World, admin: Admin, settings: Settings
) -> None:
    rows = [world.envelope(a_bar(symbol, day), sequence=day + 1) for day in range(4) for symbol in ("AAPL", "IBM")]
    await world.send(*rows)

    async with consuming(settings, poisonous("AAPL", 2)):
        found = await effects(admin, 5)
        dead, *parked = await letters(admin, 3)
        await world.send(world.envelope(a_bar("AAPL", 9), sequence=10), world.envelope(a_bar("IBM", 9), sequence=10))
        await effects(admin, 6)
        await letters(admin, 4)

    assert [n for key, n in found if key == "IBM"] == [1, 2, 3, 4]
    assert [n for key, n in found if key == "AAPL"] == [1]
    assert dead == ("AAPL", "dead", "ValueError: poison\ufffd")
    assert [(key, state) for key, state, _ in parked] == [("AAPL", "parked")] * 2


async def test_a_handler_that_fails_a_few_times_is_asked_again(world: World, admin: Admin, settings: Settings) -> None:
    failures = iter(range(3))

    def fail(_envelope: Envelope[DomainEvent]) -> None:
        if next(failures, None) is not None:
            raise ValueError("not yet")

    async with consuming(settings, Faults(before=fail)):
        await world.publish(a_bar())
        await effects(admin, 1)
    assert await admin.letters() == []


async def test_bad_records_from_the_broker_are_buried_and_others_go_on(
    world: World, admin: Admin, probe: Consuming
) -> None:
    good = world.envelope(a_bar())
    headers = headers_of(good, "world")
    await world.send_raw("bars.v1", b"A", b"not JSON", headers)
    await world.send_raw("bars.v1", b"B", None, headers)
    await world.send_raw("bars.v1", None, b"{}", headers)
    await world.send_raw("bars.v1", b"C", b"{}")
    await world.send_raw("bars.v1", b"D", b"{}", [("ce_type", b"\xff")])
    await world.send_raw("bars.v1", b"\xff\x00", b"\x00", headers)
    await world.send_raw("bars.v1", b"E", b"{}", [("ce_type", b"weather.RainFell.v1")])
    await world.send(good)

    assert await effects(admin, 1) == [("AAPL", 1)]
    rows = await admin.fetch("SELECT state, error FROM probe.dead_letter")
    assert [row["state"] for row in rows] == ["dead"] * 6
    assert all(row["error"] for row in rows)


async def test_records_of_nearly_a_megabyte_are_taken(world: World, admin: Admin, probe: Consuming) -> None:
    good = world.envelope(a_bar())
    padded = good.data[:-1] + ',"padding":"' + "x" * 1_000_000 + '"}'
    await world.send_raw(good.topic, good.key.encode(), padded.encode(), headers_of(good, "world"))
    await world.send_raw(good.topic, b"BIG", b"x" * 1_040_000, headers_of(good, "world"))

    await effects(admin, 1)
    [row] = await letters(admin, 1)
    assert row[:2] == ("BIG", "dead")


async def test_a_connection_that_dies_under_a_batch_loses_and_doubles_nothing(
    world: World, admin: Admin, probe: Consuming
) -> None:
    probe.faults.go.clear()
    await world.send(*(world.envelope(a_bar(day=day), sequence=day + 1) for day in range(5)))
    await probe.faults.called.wait()
    await admin.kill_connections()
    probe.faults.go.set()
    await world.send(*(world.envelope(a_bar(day=day), sequence=day + 1) for day in range(5, 10)))

    assert await effects(admin, 10) == [("AAPL", n) for n in range(1, 11)]
    assert await admin.letters() == []


async def test_a_database_that_is_away_for_longer_than_an_event_is_tried_loses_and_doubles_nothing(
    world: World, admin: Admin, probe: Consuming, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_module, "_ATTEMPT_DELAYS", (0.01, 0.01))
    await world.send(world.envelope(a_bar(), sequence=1))
    await effects(admin, 1)
    async with admin.away():
        await world.send(*(world.envelope(a_bar(day=day), sequence=day + 1) for day in range(1, 10)))
        await asyncio.sleep(0.5)  # the outage itself

    assert await effects(admin, 10) == [("AAPL", n) for n in range(1, 11)]
    assert await admin.letters() == []


async def test_a_restarted_consumer_goes_on_where_the_group_stood(
    world: World, admin: Admin, settings: Settings
) -> None:
    faults = Faults()
    async with consuming(settings, faults):
        await world.send(world.envelope(a_bar(), sequence=1))
        await effects(admin, 1)
    await admin.fetch("TRUNCATE probe.inbox")  # only the offsets can tell now
    await world.send(world.envelope(a_bar(day=1), sequence=2))
    async with consuming(settings, faults):
        assert await effects(admin, 2) == [("AAPL", 1), ("AAPL", 2)]


async def test_a_consumer_that_dies_between_commit_and_offset_commit_has_one_effect(
    world: World, admin: Admin, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_arguments: object) -> None:
        """As if the process ended here."""

    rows = [world.envelope(a_bar(day=day), sequence=day + 1) for day in range(5)]
    with monkeypatch.context() as patched:
        patched.setattr(consumer_module, "_commit", never)
        async with consuming(settings, Faults()):
            await world.send(*rows)
            await effects(admin, 5)
    faults = Faults()
    async with consuming(settings, faults):
        await world.send(world.envelope(a_bar(day=5), sequence=6))
        assert await effects(admin, 6) == [("AAPL", n) for n in range(1, 7)]
    assert faults.waves == [1]


async def test_what_breaks_the_consumer_itself_stops_it_and_nothing_is_committed(
    world: World, admin: Admin, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_consumer: Consumer, _arrivals: list[Arrival]) -> None:
        raise RuntimeError("a bug of the kit")

    with monkeypatch.context() as patched:
        patched.setattr(Consumer, "_take", broken)
        async with consuming(settings, Faults()) as running:
            await world.send(world.envelope(a_bar(), sequence=1))

            async def ended() -> None:
                assert await running.probe.failure() == "it has ended"

            await eventually(ended)
    async with consuming(settings, Faults()):
        assert await effects(admin, 1) == [("AAPL", 1)]


async def test_a_consumer_that_hangs_with_work_in_hand_is_not_well(
    world: World, admin: Admin, settings: Settings
) -> None:
    faults = Faults()
    async with consuming(settings.model_copy(update={"stall_seconds": 0.3}), faults) as running:
        assert await running.probe.failure() is None
        faults.go.clear()
        await world.publish(a_bar())

        async def noticed() -> None:
            assert "no progress" in (await running.probe.failure() or "")

        await eventually(noticed)
        faults.go.set()
        await effects(admin, 1)

        async def recovered() -> None:
            assert await running.probe.failure() is None

        await eventually(recovered)


async def test_a_consumer_that_stands_still_for_too_long_ends(world: World, settings: Settings) -> None:
    faults = Faults()
    faults.go.clear()
    async with consuming(settings.model_copy(update={"stall_seconds": 0.1}), faults) as running:
        await world.publish(a_bar())

        async def ended() -> None:
            assert await running.probe.failure() == "it has ended"

        await eventually(ended)
        faults.go.set()


async def test_a_consumer_without_work_is_well(settings: Settings, topics: None) -> None:
    async with consuming(settings.model_copy(update={"stall_seconds": 0.05}), Faults()) as running:
        await asyncio.sleep(0.2)
        assert await running.probe.failure() is None


async def test_events_of_other_types_in_its_topics_are_passed_over(
    world: World, admin: Admin, probe: Consuming
) -> None:
    listed = InstrumentListed(
        occurred_at=MORNING, instrument_id=uuid7(), symbol="AAPL", name="A", asset_class="EQUITY", currency="USD"
    )
    row = world.envelope(listed)
    await world.send_raw("bars.v1", b"AAPL", row.data.encode(), headers_of(row, "marketdata"))
    await world.publish(a_bar())

    await effects(admin, 1)
    assert await admin.letters() == []


async def test_any_of_several_brokers_will_do_to_begin_with(world: World, admin: Admin) -> None:
    nobody = "127.0.0.1:1"
    settings = world.settings.model_copy(update={"kafka_bootstrap": f"{nobody},{world.settings.kafka_bootstrap}"})
    await world.send(world.envelope(a_bar(), sequence=1))
    async with consuming(settings, Faults()):
        assert await effects(admin, 1) == [("AAPL", 1)]
