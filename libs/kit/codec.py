"""How does an event look in Kafka? CloudEvents 1.0, Kafka binding, binary mode: attributes as headers, JSON as value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import ValidationError

from libs.kit.ids import uuid_of
from libs.kit.outbox import OutboxRow
from libs.schema.catalogue import BY_TYPE, FAMILIES
from libs.schema.event import Cause, DomainEvent, Envelope

Headers = Sequence[tuple[str, bytes]]
_LARGEST_BIGINT = 2**63 - 1
_SPECVERSION = ("ce_specversion", b"1.0")
_CONTENT_TYPE = ("content-type", b"application/json")


@dataclass(eq=False)
class Undecodable(Exception):
    """A record that can't be read; `reason` says why to an operator."""

    reason: str
    family: str | None = None
    """Which event it would have been, where that much could be read."""


@dataclass(eq=False)
class UnknownType(Exception):
    """A well-formed record of a family that this release does not know, or does not subscribe to."""

    type: str


def headers_of(row: OutboxRow, source: str) -> list[tuple[str, bytes]]:
    """The CloudEvents attributes of an event, and the house's extensions."""
    headers = [
        _SPECVERSION,
        ("ce_id", str(row.event_id).encode()),
        ("ce_source", source.encode()),
        ("ce_type", row.type.encode()),
        ("ce_subject", str(row.subject).encode()),
        ("ce_time", row.occurred_at.isoformat().encode()),
        ("ce_recordedtime", row.recorded_at.isoformat().encode()),
        ("ce_sequence", str(row.sequence).encode()),
        ("ce_correlationid", str(row.correlation_id).encode()),
        _CONTENT_TYPE,
    ]
    optional = (
        ("ce_tenantid", row.tenant_id),
        ("ce_causationid", row.causation_id),
        ("ce_traceparent", row.traceparent),
    )
    headers += [(name, str(value).encode()) for name, value in optional if value is not None]
    return headers


def decode(headers: Headers, value: bytes | None) -> Envelope[DomainEvent]:
    """The event of a record. Raises Undecodable or UnknownType, whose texts hold no payload."""
    attributes = _attributes(headers)
    type_ = _required(attributes, "ce_type")
    try:
        return _envelope(attributes, _event_class(type_).model_validate_json(value or b""))
    except Undecodable as problem:
        raise Undecodable(problem.reason, _family(type_)) from problem
    except ValidationError as error:
        raise Undecodable(_explain(error), _family(type_)) from error
    except ValueError as error:
        reason = f"a CloudEvents header has no valid value: {error}"
        raise Undecodable(reason, _family(type_)) from error


def _family(type_: str) -> str:
    return type_.rpartition(".v")[0]


def _attributes(headers: Headers) -> dict[str, str]:
    try:
        return {name: value.decode() for name, value in headers}
    except (UnicodeDecodeError, AttributeError) as error:
        reason = "a header has no value, or is not UTF-8"
        raise Undecodable(reason) from error


def _required(attributes: Mapping[str, str], name: str) -> str:
    try:
        return attributes[name]
    except KeyError as error:
        reason = f"the header {name} is missing"
        raise Undecodable(reason) from error


def _event_class(type_: str) -> type[DomainEvent]:
    known = BY_TYPE.get(type_)
    if known is not None:
        return known
    if _family(type_) in FAMILIES:
        reason = f"{type_} is a version that this release does not know"
        raise Undecodable(reason)
    raise UnknownType(type_)


def _explain(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, e['loc'])) or 'value'}: {e['msg']}" for e in error.errors(include_input=False)
    )


def _optional_id(attributes: Mapping[str, str], name: str) -> UUID | None:
    value = attributes.get(name)
    return None if value is None else uuid_of(value)


def _sequence(attributes: Mapping[str, str]) -> int:
    sequence = int(_required(attributes, "ce_sequence"))
    if not 1 <= sequence <= _LARGEST_BIGINT:
        raise ValueError("ce_sequence is out of range")
    return sequence


def _moment(attributes: Mapping[str, str], name: str) -> datetime:
    moment = datetime.fromisoformat(_required(attributes, name))
    if moment.utcoffset() is None:
        raise ValueError(f"{name} names no time zone")
    return moment


def _envelope(attributes: Mapping[str, str], event: DomainEvent) -> Envelope[DomainEvent]:
    return Envelope(
        id=uuid_of(_required(attributes, "ce_id")),
        event=event,
        source=_required(attributes, "ce_source"),
        subject=uuid_of(_required(attributes, "ce_subject")),
        sequence=_sequence(attributes),
        tenant_id=_optional_id(attributes, "ce_tenantid"),
        recorded_at=_moment(attributes, "ce_recordedtime"),
        cause=Cause(
            uuid_of(_required(attributes, "ce_correlationid")),
            _optional_id(attributes, "ce_causationid"),
            attributes.get("ce_traceparent"),
        ),
    )
