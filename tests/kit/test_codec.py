"""How does an event survive the wire? Whole, whatever it holds; and what is no event is told apart, never raised."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kit.codec import Undecodable, UnknownType, decode, headers_of
from libs.kit.ids import uuid7
from libs.kit.outbox import outbox_row
from libs.schema.event import Cause, DomainEvent
from libs.schema.marketdata import BarClosed
from tests.kit.builders import a_bar
from tests.kit.events import any_event

ids = st.uuids()
moments = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 timezones is given
causes = st.builds(Cause, ids, st.none() | ids, st.none() | st.text("0123456789abcdef-", min_size=1))


@given(any_event(), ids, st.integers(1, 2**63 - 1), st.none() | ids, causes, moments)
def test_every_event_and_attribute_survives_the_wire(
    event: DomainEvent, subject: UUID, sequence: int, tenant: UUID | None, cause: Cause, now: datetime
) -> None:
    row = outbox_row(event, subject, sequence, tenant, cause, now)

    envelope = decode(headers_of(row, "somewhere"), row.data.encode())

    assert type(envelope.event) is type(event)
    assert envelope.event == event
    assert (envelope.id, envelope.subject, envelope.sequence) == (row.event_id, subject, sequence)
    assert (envelope.tenant_id, envelope.cause, envelope.recorded_at) == (tenant, cause, now)
    assert envelope.source == "somewhere"


@given(any_event())
def test_an_event_fits_its_own_key_and_topic(event: DomainEvent) -> None:
    row = outbox_row(event, uuid7(), 1, None, Cause(uuid7()), datetime.now(UTC))

    assert row.topic == event.topic
    assert row.key == str(getattr(event, event.key))
    assert row.type == f"{event.topic.split('.')[0]}.{type(event).__name__}.v1"


def test_a_record_carries_the_attributes_of_cloud_events() -> None:
    row = outbox_row(a_bar(), uuid7(), 3, uuid7(), Cause(uuid7(), uuid7(), "00-ab-cd-01"), datetime.now(UTC))

    headers = {name: value.decode() for name, value in headers_of(row, "marketdata")}

    assert headers == {
        "ce_specversion": "1.0",
        "ce_id": str(row.event_id),
        "ce_source": "marketdata",
        "ce_type": "bars.BarClosed.v1",
        "ce_subject": str(row.subject),
        "ce_time": "2011-03-02T00:00:00+00:00",
        "ce_recordedtime": row.recorded_at.isoformat(),
        "ce_sequence": "3",
        "ce_correlationid": str(row.correlation_id),
        "ce_causationid": str(row.causation_id),
        "ce_tenantid": str(row.tenant_id),
        "ce_traceparent": "00-ab-cd-01",
        "content-type": "application/json",
    }


def a_record() -> tuple[dict[str, bytes], bytes]:
    row = outbox_row(a_bar(), uuid7(), 1, None, Cause(uuid7()), datetime.now(UTC))
    return dict(headers_of(row, "marketdata")), row.data.encode()


@pytest.mark.parametrize("name", ["ce_type", "ce_id", "ce_source", "ce_subject", "ce_sequence", "ce_recordedtime"])
def test_a_missing_header_is_named(name: str) -> None:
    headers, value = a_record()
    del headers[name]

    with pytest.raises(Undecodable) as refused:
        decode(list(headers.items()), value)
    assert refused.value.reason == f"the header {name} is missing"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_id", b"no-uuid"),
        ("ce_id", b"\xff"),
        ("ce_id", None),
        ("ce_subject", b""),
        ("ce_tenantid", b"everybody"),
        ("ce_sequence", b"one"),
        ("ce_sequence", b"0"),
        ("ce_sequence", b"9" * 30),
        ("ce_sequence", b"9" * 5000),
        ("ce_recordedtime", b"2011-03-01T00:00:00"),
        ("ce_recordedtime", b"yesterday"),
        ("ce_correlationid", b"-"),
        ("ce_causationid", b"-"),
        ("ce_type", b"bars.BarClosed.v99"),
        ("x-other", b"\xff\xfe"),
    ],
)
def test_a_bad_header_makes_the_record_undecodable(name: str, value: bytes | None) -> None:
    headers, body = a_record()
    with pytest.raises(Undecodable):
        decode([*(headers | {name: value}).items()], body)  # type: ignore[list-item]


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"not JSON",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b"[" * 100_000,
        b'{"symbol": "AAPL"}',
        b'{"occurred_at": "0001-01-01T00:00:00+14:00"}',
    ],
)
def test_a_bad_value_makes_the_record_undecodable(value: bytes | None) -> None:
    headers, _ = a_record()
    with pytest.raises(Undecodable):
        decode(list(headers.items()), value)


@pytest.mark.parametrize(
    "field", [name for name, info in BarClosed.model_fields.items() if info.is_required() and name != "occurred_at"]
)
def test_a_missing_field_is_named_and_no_payload_is_told(field: str) -> None:
    headers, _ = a_record()
    value = a_bar("SECRET").model_dump_json(exclude={field}).encode()

    with pytest.raises(Undecodable) as refused:
        decode(list(headers.items()), value)
    assert refused.value.reason.startswith(f"{field}: ")
    assert "SECRET" not in refused.value.reason


@pytest.mark.parametrize("type_", [b"bars.BarOpened.v1", b"weather.RainFell.v1", b"", b"nonsense"])
def test_a_type_that_nobody_knows_is_told_apart(type_: bytes) -> None:
    headers, value = a_record()
    with pytest.raises(UnknownType):
        decode(list((headers | {"ce_type": type_}).items()), value)


def test_a_field_of_a_later_release_is_ignored() -> None:
    headers, value = a_record()
    wider = value.replace(b'{"', b'{"colour":"red","', 1)

    assert decode(list(headers.items()), wider).event == a_bar()


def test_the_close_keeps_every_digit() -> None:
    exact = a_bar().model_copy(update={"high": Decimal("123456789012.12345678")})
    row = outbox_row(exact, uuid7(), 1, None, Cause(uuid7()), datetime.now(UTC))

    decoded = decode(headers_of(row, "x"), row.data.encode()).event

    assert isinstance(decoded, BarClosed)
    assert decoded.high == Decimal("123456789012.12345678")


@given(st.lists(st.tuples(st.text(), st.binary() | st.none())), st.binary() | st.none())
def test_no_record_of_any_kind_makes_the_decoder_fail(headers: list[tuple[str, bytes]], value: bytes | None) -> None:
    with pytest.raises((Undecodable, UnknownType)):
        decode(headers, value)


@given(st.sampled_from(sorted(a_record()[0])), st.binary(max_size=40), st.binary())
def test_no_damage_to_a_good_record_makes_the_decoder_fail(name: str, header: bytes, value: bytes) -> None:
    headers, body = a_record()
    for damaged in ((headers | {name: header}, body), (headers, value)):
        try:
            envelope = decode(list(damaged[0].items()), damaged[1])
        except (Undecodable, UnknownType):
            continue
        assert dataclasses.is_dataclass(envelope)
