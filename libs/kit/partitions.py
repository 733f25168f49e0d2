"""How do `inbox` and `event_log` stay small? Whole partitions come and go; no row is ever deleted.

Partitions are a month long, named `event_log_2026_11`, and cut by UUIDv7 event id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from libs.kit.ids import uuid7_floor

PARTITIONED = ("event_log", "inbox")
_MONTHS_AHEAD = 3


@dataclass(frozen=True, slots=True)
class Maintained:
    """What a run of maintenance did."""

    created: tuple[str, ...]
    dropped: tuple[str, ...]


def _month(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _next_month(at: datetime) -> datetime:
    return _month(_month(at) + timedelta(days=32))


def _name(table: str, month: datetime) -> str:
    return f"{table}_{month:%Y_%m}"


async def maintain_partitions(
    engine: AsyncEngine, schema: str, retention_days: int, now: datetime | None = None
) -> Maintained:
    """Create this month's and the next three partitions; drop those whose last event is older than the retention."""
    now = now or datetime.now(UTC)
    created: list[str] = []
    dropped: list[str] = []
    for table in PARTITIONED:
        async with engine.begin() as connection:
            await connection.execute(text(f"SET LOCAL ROLE {schema}_owner"))
            existing = await _partitions(connection, schema, table)
            created += await _create_coming(connection, schema, table, existing, now)
            dropped += await _drop_expired(connection, schema, table, existing, now - timedelta(days=retention_days))
    return Maintained(tuple(created), tuple(dropped))


async def _partitions(connection: AsyncConnection, schema: str, table: str) -> set[str]:
    rows = await connection.execute(
        text(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
            "WHERE i.inhparent = CAST(:t AS regclass)"
        ),
        {"t": f"{schema}.{table}"},
    )
    return set(rows.scalars())


async def _create_coming(
    connection: AsyncConnection, schema: str, table: str, existing: set[str], now: datetime
) -> list[str]:
    created = []
    month = _month(now)
    for _ in range(_MONTHS_AHEAD + 1):
        name, end = _name(table, month), _next_month(month)
        if name not in existing:
            await _create(connection, f"{schema}.{table}", f"{schema}.{name}", uuid7_floor(month), uuid7_floor(end))
            created.append(f"{schema}.{name}")
        month = end
    return created


async def _create(connection: AsyncConnection, parent: str, name: str, first: UUID, end: UUID) -> None:
    """Make a partition, with the rows that had to go to the default one because it was missing."""
    missed = f"DELETE FROM {parent}_default WHERE event_id >= '{first}' AND event_id < '{end}' RETURNING *"
    for statement in (
        f"CREATE TABLE {name} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)",
        # For this transaction alone: forced, row-level security hides the rows from the owner too.
        f"ALTER TABLE {parent}_default NO FORCE ROW LEVEL SECURITY",
        f"WITH missed AS ({missed}) INSERT INTO {name} SELECT * FROM missed",
        f"ALTER TABLE {parent}_default FORCE ROW LEVEL SECURITY",
        f"ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES FROM ('{first}') TO ('{end}')",
        # Rows are reached through the parent and its policies; nobody gets at a partition directly.
        f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY",
    ):
        await connection.execute(text(statement))


async def _drop_expired(
    connection: AsyncConnection, schema: str, table: str, existing: set[str], horizon: datetime
) -> list[str]:
    expired = [name for name in sorted(existing) if _ends(name, table) <= horizon]
    for name in expired:
        await connection.execute(text(f"DROP TABLE {schema}.{name}"))
    return [f"{schema}.{name}" for name in expired]


def _ends(name: str, table: str) -> datetime:
    month = name.removeprefix(f"{table}_")
    if month == "default":
        return datetime.max.replace(tzinfo=UTC)
    return _next_month(datetime.strptime(month, "%Y_%m").replace(tzinfo=UTC))
