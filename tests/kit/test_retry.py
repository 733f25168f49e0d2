"""What can be done about a dead letter? Retried or discarded, its key is free again and everything keeps its order."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from libs.kit.codec import headers_of
from libs.kit.db import Database
from libs.kit.dead_letters import DeadLetter, open_letters
from libs.kit.errors import Conflict, NotFound
from libs.kit.inbox import Inbox, read
from libs.kit.outages import DatabaseAway
from libs.kit.retry import Outcome, discard, retry
from libs.kit.settings import Settings
from libs.schema.event import DomainEvent, Envelope
from tests.kit.builders import a_bar, a_fill
from tests.kit.probe import Admin, Faults, consuming, handlers
from tests.kit.test_consumer import effects, letters, poisonous
from tests.kit.test_inbox import ARecord, a_row, broken, delivered
from tests.world import World, eventually


async def states(admin: Admin) -> list[str]:
    return [state for _, state, _ in await admin.letters()]


async def bury_second(db: Database, faults: Faults, last: int = 4) -> list[DeadLetter]:
    """Four bars of a key, whose second is dead: the first had its effect, the others wait."""
    arrivals = [delivered(a_row(a_bar(day=n), n)) for n in range(1, last + 1)]
    inbox = Inbox(db, handlers(faults))
    await inbox.take(arrivals[:1])
    await inbox.give_up(arrivals[1], "ValueError: poison", 5)
    await inbox.take(arrivals[2:])
    return await open_letters(db)


async def test_a_retry_handles_the_dead_one_and_those_behind_it_in_their_order(
    db: Database, admin: Admin, faults: Faults
) -> None:
    dead, *_ = await bury_second(db, faults)

    assert await retry(db, handlers(faults), dead.id) == Outcome(handled=3, remaining=0, error=None)

    assert await admin.effects() == [("AAPL", n) for n in (1, 2, 3, 4)]
    assert await states(admin) == ["retried"] * 3
    assert await open_letters(db) == []


async def test_a_retry_of_one_that_waits_begins_with_the_one_it_waits_for(
    db: Database, admin: Admin, faults: Faults
) -> None:
    *_, last = await bury_second(db, faults)

    assert (await retry(db, handlers(faults), last.id)).handled == 3
    assert await admin.effects() == [("AAPL", n) for n in (1, 2, 3, 4)]


async def test_each_is_handled_in_a_transaction_of_its_own_until_one_fails_again(
    db: Database, admin: Admin, faults: Faults
) -> None:
    dead, *_ = await bury_second(db, faults)

    outcome = await retry(db, handlers(poisonous("AAPL", 3)), dead.id)

    assert outcome == Outcome(handled=1, remaining=2, error="ValueError: poison\0")
    assert await admin.effects() == [("AAPL", 1), ("AAPL", 2)]
    assert await states(admin) == ["retried", "dead", "parked"]
    still_dead, _ = await open_letters(db)
    assert (still_dead.error, still_dead.attempts) == ("ValueError: poison\ufffd", 1)


async def test_a_retry_that_fails_at_once_changes_nothing_but_the_reason(
    db: Database, admin: Admin, faults: Faults
) -> None:
    dead, *_ = await bury_second(db, faults)

    outcome = await retry(db, handlers(poisonous("AAPL", 2)), dead.id)

    assert (outcome.handled, outcome.remaining) == (0, 3)
    assert await admin.effects() == [("AAPL", 1)]
    [again, *_] = await open_letters(db)
    assert (again.id, again.state, again.attempts) == (dead.id, "dead", 6)


async def test_the_inbox_row_the_effect_and_the_end_of_the_letter_are_one_transaction(
    db: Database, admin: Admin, faults: Faults
) -> None:
    arrival = delivered(a_row(a_fill(), tenant=True))
    await Inbox(db, handlers(faults)).give_up(arrival, "ValueError: poison", 5)
    [letter] = await open_letters(db)

    def fail(_envelope: Envelope[DomainEvent]) -> None:
        raise ValueError("again")

    await retry(db, handlers(Faults(before=fail)), letter.id)
    for table in ("inbox", "effect", "counter", "outbox"):
        assert (await admin.fetch(f"SELECT count(*) FROM probe.{table}"))[0][0] == 0, table

    await retry(db, handlers(faults), letter.id)
    for table in ("inbox", "effect", "counter", "outbox"):
        assert (await admin.fetch(f"SELECT count(*) FROM probe.{table}"))[0][0] == 1, table


async def test_an_event_that_had_its_effect_meanwhile_has_no_second_one(
    db: Database, admin: Admin, faults: Faults
) -> None:
    dead, *_ = await bury_second(db, faults, last=2)
    await admin.fetch("INSERT INTO probe.inbox (event_id, type) VALUES ($1, 'bars.BarClosed.v1')", dead.event_id)

    assert await retry(db, handlers(faults), dead.id) == Outcome(1, 0, None)
    assert await admin.effects() == [("AAPL", 1)]


async def test_what_was_retried_has_no_effect_when_it_is_delivered_again(
    db: Database, admin: Admin, faults: Faults
) -> None:
    arrivals = [delivered(a_row(a_bar(day=n), n)) for n in (1, 2)]
    inbox = Inbox(db, handlers(faults))
    await inbox.give_up(arrivals[0], "x", 5)
    await inbox.take(arrivals)
    [dead, _] = await open_letters(db)
    await retry(db, handlers(faults), dead.id)

    await inbox.take(arrivals)

    assert await admin.effects() == [("AAPL", 1), ("AAPL", 2)]
    assert await open_letters(db) == []


async def test_a_record_that_still_cannot_be_read_stays_dead(db: Database, admin: Admin, faults: Faults) -> None:
    await Inbox(db, handlers(faults)).take([broken(), delivered(a_row(a_bar()))])
    dead, _ = await open_letters(db)

    outcome = await retry(db, handlers(faults), dead.id)

    assert (outcome.handled, outcome.remaining) == (0, 2)
    assert "StillDead" in (outcome.error or "")
    assert await admin.effects() == []


async def test_a_record_without_key_is_retried_alone(db: Database, admin: Admin, faults: Faults) -> None:
    row = a_row(a_bar())
    await Inbox(db, handlers(faults)).give_up(read(ARecord(None, row.data.encode(), headers_of(row, "world"))), "x", 5)
    await Inbox(db, handlers(faults)).take([broken(None)])
    letter = (await open_letters(db))[0]

    assert await retry(db, handlers(faults), letter.id) == Outcome(1, 0, None)
    assert await states(admin) == ["retried", "dead"]


async def test_a_discarded_one_has_no_effect_and_those_behind_it_go_on(
    db: Database, admin: Admin, faults: Faults
) -> None:
    dead, *_ = await bury_second(db, faults)

    assert await discard(db, handlers(faults), dead.id) == Outcome(handled=2, remaining=0, error=None)

    assert await admin.effects() == [("AAPL", n) for n in (1, 3, 4)]
    assert await states(admin) == ["discarded", "retried", "retried"]


async def test_a_discarded_event_has_no_effect_when_it_is_delivered_again(
    db: Database, admin: Admin, faults: Faults
) -> None:
    arrival, later = delivered(a_row(a_bar(), 1)), delivered(a_row(a_bar(day=1), 2))
    inbox = Inbox(db, handlers(faults))
    await inbox.give_up(arrival, "x", 5)
    [dead] = await open_letters(db)
    await discard(db, handlers(faults), dead.id)

    await inbox.take([arrival, later])

    assert await admin.effects() == [("AAPL", 2)]
    assert await open_letters(db) == []


async def test_a_discarded_record_that_cannot_be_read_makes_nobody_wait_again(
    db: Database, admin: Admin, faults: Faults
) -> None:
    bad, later = broken(), delivered(a_row(a_bar()))
    inbox = Inbox(db, handlers(faults))
    await inbox.take([bad])
    [dead] = await open_letters(db)
    assert await discard(db, handlers(faults), dead.id) == Outcome(0, 0, None)

    await inbox.take([bad, later])

    assert await admin.effects() == [("AAPL", 1)]
    assert await open_letters(db) == []


async def test_one_that_only_waits_cannot_be_discarded(db: Database, admin: Admin, faults: Faults) -> None:
    dead, waiting, _ = await bury_second(db, faults)

    with pytest.raises(Conflict, match=str(dead.id)):
        await discard(db, handlers(faults), waiting.id)
    assert await states(admin) == ["dead", "parked", "parked"]


@pytest.mark.parametrize("action", [retry, discard])
async def test_an_unknown_or_resolved_letter_is_refused(db: Database, faults: Faults, action: type[object]) -> None:
    with pytest.raises(NotFound):
        await action(db, handlers(faults), UUID(int=1))  # type: ignore[call-arg,misc]
    dead, *_ = await bury_second(db, faults)
    await retry(db, handlers(faults), dead.id)
    with pytest.raises(Conflict, match="resolved"):
        await action(db, handlers(faults), dead.id)  # type: ignore[call-arg,misc]


async def test_an_outage_is_no_failure_of_the_letter(db: Database, admin: Admin, faults: Faults) -> None:
    dead, *_ = await bury_second(db, faults)
    faults.go.clear()
    faults.called.clear()
    task = asyncio.create_task(retry(db, handlers(faults), dead.id))
    await faults.called.wait()
    await admin.kill_connections()
    faults.go.set()
    with pytest.raises(DatabaseAway):
        await task

    assert (await open_letters(db))[0].attempts == 5


async def test_a_live_consumer_and_a_retry_keep_the_order_of_the_key_between_them(
    world: World, admin: Admin, settings: Settings
) -> None:
    """Events arrive all the while: each is parked before the retry ends, or handled after it."""
    healed = False

    def fail(envelope: Envelope[DomainEvent]) -> None:
        if envelope.sequence == 2 and not healed:
            raise ValueError("poison")

    faults = Faults(before=fail)
    async with consuming(settings, faults) as running:
        await world.send(*(world.envelope(a_bar(day=n), sequence=n) for n in range(1, 11)))
        await letters(admin, 9)
        healed = True
        [dead, *_] = await open_letters(running.db)
        sending = asyncio.create_task(world.send(*(world.envelope(a_bar(day=n), sequence=n) for n in range(11, 81))))
        outcome = await retry(running.db, handlers(faults), dead.id)
        await sending
        found = await effects(admin, 80)

        async def none_is_left() -> None:
            assert await open_letters(running.db) == []

        await eventually(none_is_left)
    assert outcome.error is None
    assert outcome.handled >= 9
    assert found == [("AAPL", n) for n in range(1, 81)]


async def test_a_consumer_waits_while_a_retry_holds_the_key(db: Database, admin: Admin, faults: Faults) -> None:
    dead, *_ = await bury_second(db, faults, last=2)
    faults.go.clear()
    faults.called.clear()
    retrying = asyncio.create_task(retry(db, handlers(faults), dead.id))
    await faults.called.wait()
    taking = asyncio.create_task(Inbox(db, handlers(Faults())).take([delivered(a_row(a_bar(day=3), 3))]))

    async def waits() -> None:
        found = await admin.fetch(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"
        )
        assert found

    await eventually(waits)
    faults.go.set()
    await asyncio.gather(retrying, taking)

    assert await admin.effects() == [("AAPL", 1), ("AAPL", 2), ("AAPL", 3)]
