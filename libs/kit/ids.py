"""Where do ids come from? UUIDv7 (RFC 9562): unique everywhere, and growing with time."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from asyncpg.pgproto import pgproto
from uuid_utils import uuid7 as _uuid7

_RANDOM_BITS = 80


def uuid7() -> UUID:
    """A new UUIDv7; ids made by one process grow."""
    return pgproto.UUID(_uuid7().bytes)


def uuid_of(text: str) -> UUID:
    """The UUID that a text names, as fast as the driver makes those of rows. Raises ValueError."""
    return pgproto.UUID(text)


def uuid7_floor(at: datetime) -> UUID:
    """The smallest UUID of the millisecond `at`: the border between partitions by event id."""
    return UUID(int=int(at.timestamp() * 1000) << _RANDOM_BITS)
