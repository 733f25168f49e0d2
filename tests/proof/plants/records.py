"""How are records of a topic changed? Found by what they tell, and written anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

from aiokafka.structs import ConsumerRecord

from tests.proof.spoil import Records

Record = ConsumerRecord[bytes, bytes]


def header(record: Record, name: str) -> str | None:
    """An attribute of a record."""
    return next((value.decode() for key, value in record.headers if key == name), None)


def place_of(records: Records, event_id: UUID) -> int:
    """Where the record of an event is. Raises StopIteration when there is none."""
    return next(place for place, record in enumerate(records) if header(record, "ce_id") == str(event_id))


def with_headers(record: Record, changes: Mapping[str, str | None]) -> Record:
    """The record with other attributes, and without those that are None."""
    kept = [(name, value) for name, value in record.headers if name not in changes]
    return replace(record, headers=(*kept, *((name, text.encode()) for name, text in changes.items() if text)))


def changed(records: Records, event_id: UUID, changes: Mapping[str, str | None], value: bytes | None = None) -> Records:
    """The records, one of them with other attributes, and with another value if there is one."""
    place = place_of(records, event_id)
    record = with_headers(records[place], changes)
    return [*records[:place], record if value is None else replace(record, value=value), *records[place + 1 :]]
