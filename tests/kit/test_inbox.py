"""How is a batch handled? Each event once, in its key's order; what is bad is buried, and only its key waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from libs.kit.codec import headers_of
from libs.kit.db import Database, Tx, utc_now
from libs.kit.handlers import on, on_each
from libs.kit.ids import uuid7
from libs.kit.inbox import Arrival, Inbox, read
from libs.kit.outbox import OutboxRow, outbox_row
from libs.schema.event import Cause, DomainEvent, Envelope
from libs.schema.marketdata import BarClosed, InstrumentListed
from libs.schema.orders import OrderFilled
from tests.kit.builders import MORNING, a_bar, a_fill
from tests.kit.probe import Admin, Faults, handlers

_offsets = count()


@dataclass
class ARecord:
    """A record as aiokafka gives it."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    topic: str = "bars.v1"
    partition: int = 0
    offset: int = field(default_factory=lambda: next(_offsets))


def a_row(event: DomainEvent, sequence: int = 1, *, tenant: bool = False) -> OutboxRow:
    return outbox_row(event, uuid7(), sequence, uuid7() if tenant else None, Cause(uuid7()), utc_now())


def delivered(row: OutboxRow) -> Arrival:
    return read(ARecord(row.key.encode(), row.data.encode(), headers_of(row, "world"), row.topic))


def broken(key: bytes | None = b"AAPL") -> Arrival:
    return read(ARecord(key, b"not JSON", headers_of(a_row(a_bar()), "world")))


@pytest.fixture
def inbox(db: Database, faults: Faults) -> Inbox:
    return Inbox(db, handlers(faults))


def counted(outcome: str) -> float:
    name = "fillstream_events_consumed_total"
    return REGISTRY.get_sample_value(name, {"context": "probe", "outcome": outcome}) or 0.0


async def test_a_redelivered_batch_has_one_effect(inbox: Inbox, admin: Admin) -> None:
    batch = [delivered(a_row(a_bar(symbol), n)) for n in (1, 2, 3) for symbol in ("AAPL", "IBM")]
    before = counted("handled"), counted("duplicate")

    for _ in range(3):
        await inbox.take(batch)

    assert len(await admin.effects()) == 6
    assert (counted("handled") - before[0], counted("duplicate") - before[1]) == (6, 12)


async def test_a_duplicate_inside_one_batch_has_one_effect(inbox: Inbox, admin: Admin) -> None:
    first, second = a_row(a_bar(), 1), a_row(a_bar(day=1), 2)
    await inbox.take([delivered(row) for row in (first, second, first, second, first)])

    assert await admin.effects() == [("AAPL", 1), ("AAPL", 2)]


async def test_a_batch_that_overlaps_with_one_before_adds_only_what_is_new(inbox: Inbox, admin: Admin) -> None:
    rows = [a_row(a_bar(day=n), n) for n in range(1, 6)]
    await inbox.take([delivered(row) for row in rows[:3]])
    await inbox.take([delivered(row) for row in rows[1:]])

    assert await admin.effects() == [("AAPL", n) for n in range(1, 6)]


async def test_events_effects_and_outbox_are_one_transaction(inbox: Inbox, admin: Admin, faults: Faults) -> None:
    def fail(_envelope: Envelope[DomainEvent]) -> None:
        raise ValueError("no")

    batch = [delivered(a_row(a_fill(), tenant=True))]
    faults.before = fail
    with pytest.raises(ValueError, match="no"):
        await inbox.take(batch)
    for table in ("inbox", "effect", "outbox", "counter", "dead_letter"):
        assert (await admin.fetch(f"SELECT count(*) FROM probe.{table}"))[0][0] == 0, table

    faults.before = lambda _envelope: None
    await inbox.take(batch)
    for table in ("inbox", "effect", "outbox", "counter"):
        assert (await admin.fetch(f"SELECT count(*) FROM probe.{table}"))[0][0] == 1, table


async def test_a_batch_that_failed_is_not_counted(inbox: Inbox, faults: Faults) -> None:
    def fail(_envelope: Envelope[DomainEvent]) -> None:
        raise ValueError("no")

    faults.before = fail
    before = counted("handled"), counted("dead")
    with pytest.raises(ValueError, match="no"):
        await inbox.take([broken(b"IBM"), delivered(a_row(a_bar()))])
    assert (counted("handled"), counted("dead")) == before


async def test_a_type_nobody_asked_for_is_skipped_and_counted_apart(inbox: Inbox, admin: Admin) -> None:
    listed = InstrumentListed(
        occurred_at=MORNING, instrument_id=uuid7(), symbol="AAPL", name="A", asset_class="EQUITY", currency="USD"
    )
    headers = [("ce_type", b"weather.RainFell.v1")]
    before = counted("ignored"), counted("unknown")

    await inbox.take([delivered(a_row(listed)), read(ARecord(b"AAPL", b"{}", headers))])
    await inbox.take([delivered(a_row(a_bar()))])

    assert (counted("ignored") - before[0], counted("unknown") - before[1]) == (1, 1)
    assert await admin.letters() == []
    assert await admin.effects() == [("AAPL", 1)]


@pytest.mark.parametrize("type_", ["marketdata.InstrumentListed.v1", "marketdata.InstrumentListed.v2"])
async def test_a_bad_record_that_nobody_listens_to_makes_no_key_wait(inbox: Inbox, admin: Admin, type_: str) -> None:
    before = counted("ignored")
    await inbox.take([read(ARecord(b"AAPL", b"not JSON", [("ce_type", type_.encode())])), delivered(a_row(a_bar()))])

    assert await admin.effects() == [("AAPL", 1)]
    assert await admin.letters() == []
    assert counted("ignored") - before == 1


BAD = {
    "not JSON": ARecord(b"AAPL", b"not JSON", headers_of(a_row(a_bar()), "world")),
    "not UTF-8": ARecord(b"AAPL", b"\xff\xfe", headers_of(a_row(a_bar()), "world")),
    "no value": ARecord(b"AAPL", None, headers_of(a_row(a_bar()), "world")),
    "no headers": ARecord(b"AAPL", a_bar().model_dump_json().encode()),
    "a header that is not UTF-8": ARecord(b"AAPL", b"{}", [("ce_id", b"\xff")]),
    "a header without a value": ARecord(b"AAPL", b"{}", [("ce_type", None)]),  # type: ignore[list-item]
    "a NUL in a header's name": ARecord(b"AAPL", b"{}", [("a\0b", b"x")]),
    "an unknown version": ARecord(b"AAPL", b"{}", [("ce_type", b"bars.BarClosed.v2")]),
    "a missing field": ARecord(b"AAPL", b"{}", headers_of(a_row(a_bar()), "world")),
}


@pytest.mark.parametrize("record", BAD.values(), ids=BAD.keys())
async def test_a_bad_record_is_buried_its_key_waits_and_others_go_on(
    inbox: Inbox, admin: Admin, record: ARecord
) -> None:
    await inbox.take([delivered(a_row(a_bar("AAPL"), 1)), read(record), delivered(a_row(a_bar("AAPL"), 2)),
                      delivered(a_row(a_bar("IBM"), 1))])  # fmt: skip
    await inbox.take([delivered(a_row(a_bar("AAPL"), 3)), delivered(a_row(a_bar("IBM"), 2))])

    assert sorted(await admin.effects()) == [("AAPL", 1), ("IBM", 1), ("IBM", 2)]
    letters = await admin.letters()
    assert [(key, state) for key, state, _ in letters] == [("AAPL", "dead"), ("AAPL", "parked"), ("AAPL", "parked")]
    assert letters[0][2]
    assert "Traceback" not in letters[0][2]


async def test_a_bad_record_without_a_key_makes_nobody_wait(inbox: Inbox, admin: Admin) -> None:
    row = a_row(a_bar("IBM"))
    keyless = read(ARecord(None, row.data.encode(), headers_of(row, "world")))
    await inbox.take([broken(None), keyless, delivered(a_row(a_bar("AAPL")))])

    assert sorted(await admin.effects()) == [("AAPL", 1), ("IBM", 1)]
    assert [(key, state) for key, state, _ in await admin.letters()] == [(None, "dead")]


async def test_where_each_event_stands_alone_a_bad_record_makes_nobody_wait(db: Database, admin: Admin) -> None:
    seen: list[int] = []

    @on_each(BarClosed)
    async def note(_tx: Tx, envelopes: Sequence[Envelope[BarClosed]]) -> None:
        seen.extend(envelope.sequence for envelope in envelopes)

    inbox = Inbox(db, [note])
    await inbox.take([delivered(a_row(a_bar(), 1)), broken(), delivered(a_row(a_bar(), 2))])
    await inbox.take([delivered(a_row(a_bar(), 3))])

    assert seen == [1, 2, 3]
    assert [(key, state) for key, state, _ in await admin.letters()] == [("AAPL", "dead")]


async def test_a_redelivered_bad_record_is_buried_once(inbox: Inbox, admin: Admin) -> None:
    bad, later = broken(), delivered(a_row(a_bar()))
    for _ in range(3):
        await inbox.take([bad, later])

    assert [state for _, state, _ in await admin.letters()] == ["dead", "parked"]


async def test_an_event_handled_before_its_key_was_parked_gets_no_grave(inbox: Inbox, admin: Admin) -> None:
    early = delivered(a_row(a_bar(), 1))
    await inbox.take([early])
    await inbox.take([early, broken()])
    await inbox.take([early])

    assert [state for _, state, _ in await admin.letters()] == ["dead"]
    assert await admin.effects() == [("AAPL", 1)]


async def test_the_same_key_in_another_topic_does_not_wait(inbox: Inbox, admin: Admin) -> None:
    fill = a_fill()
    bad = broken(str(fill.account_id).encode())
    await inbox.take([bad, delivered(a_row(fill, tenant=True))])

    assert await admin.effects() == [(str(fill.account_id), 1)]


async def test_an_error_that_quotes_anything_can_be_kept(inbox: Inbox, admin: Admin) -> None:
    await inbox.give_up(delivered(a_row(a_bar())), "a NUL \0, half a pair \ud800, and " + "x" * 10**6, 5)

    [(_, state, error)] = await admin.letters()
    assert state == "dead"
    assert error.startswith("a NUL \ufffd, half a pair ?, and xxx")
    assert len(error) < 10_000


def test_two_handlers_for_one_event_are_refused(db: Database) -> None:
    @on(OrderFilled)
    async def nothing(_tx: object, _envelopes: object) -> None:
        """Never called."""

    with pytest.raises(ValueError, match="two handlers"):
        Inbox(db, [nothing, nothing])


deliveries = st.lists(st.lists(st.integers(0, 11), max_size=12), max_size=6)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(batches=deliveries, dead=st.none() | st.integers(0, 11))
async def test_whatever_is_redelivered_every_event_has_one_effect_in_the_order_of_its_key(
    db: Database, admin: Admin, batches: list[list[int]], dead: int | None
) -> None:
    """Twelve events of three keys, delivered in order once, with any redeliveries of what came before in between."""
    await admin.fetch("TRUNCATE probe.effect, probe.inbox, probe.dead_letter")
    inbox = Inbox(db, handlers(Faults()))
    arrivals = [delivered(a_row(a_bar(symbol, n), n + 1)) for n in range(4) for symbol in ("A", "B", "C")]
    if dead is not None:
        arrivals[dead] = broken("ABC"[dead % 3].encode())
    for position in range(0, 12, 3):
        again = [arrivals[n] for n in (batches.pop() if batches else []) if n < position]
        await inbox.take([*again, *arrivals[position : position + 3]])

    expected = {key: [n + 1 for n in range(4) if dead is None or key != dead % 3 or n < dead // 3] for key in range(3)}
    effects = await admin.effects()
    for key in range(3):
        assert [n for symbol, n in effects if symbol == "ABC"[key]] == expected[key]
    waiting = 0 if dead is None else 4 - dead // 3
    assert len(await admin.letters()) == waiting


async def test_a_preparation_sees_all_that_it_is_for_before_the_first_handler_runs(db: Database) -> None:
    said: list[str] = []

    async def prepare(_tx: Tx, envelopes: Sequence[Envelope[DomainEvent]]) -> None:
        said.append(f"prepare {', '.join(type(envelope.event).__name__ for envelope in envelopes)}")

    @on(OrderFilled, prepare)
    async def fills(_tx: Tx, envelopes: Sequence[Envelope[OrderFilled]]) -> None:
        said.append(f"{len(envelopes)} fills")

    @on(BarClosed, prepare)
    async def bars(_tx: Tx, envelopes: Sequence[Envelope[BarClosed]]) -> None:
        said.append(f"{len(envelopes)} bars")

    inbox = Inbox(db, (fills, bars))
    fill, bar = a_row(a_fill(), tenant=True), a_row(a_bar())
    await inbox.take([delivered(fill), delivered(bar)])
    # What was handled before is prepared for no more.
    await inbox.take([delivered(bar)])
    assert said == ["prepare OrderFilled, BarClosed", "1 fills", "1 bars"]


async def test_what_comes_before_handlers_comes_in_one_order_whatever_came_first(db: Database) -> None:
    called: list[tuple[str, int]] = []

    async def first(_tx: Tx, told: Sequence[Envelope[DomainEvent]]) -> None:
        called.append(("first", len(told)))

    async def second(_tx: Tx, told: Sequence[Envelope[DomainEvent]]) -> None:
        called.append(("second", len(told)))

    @on(BarClosed, first, second)
    async def bars(_tx: Tx, _told: Sequence[Envelope[BarClosed]]) -> None:
        called.append(("bars", 0))

    @on(OrderFilled, second)
    async def fills(_tx: Tx, _told: Sequence[Envelope[OrderFilled]]) -> None:
        called.append(("fills", 0))

    batch = [delivered(a_row(a_fill(), tenant=True)), delivered(a_row(a_bar()))]
    await Inbox(db, (bars, fills)).take(batch)
    assert called == [("first", 1), ("second", 2), ("fills", 0), ("bars", 0)]
