"""What is kept, of whom? All tables of all contexts, found in the catalogue, as one value to compare."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

Connection = asyncpg.Connection

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NOT_OURS = "('pg_catalog', 'information_schema')"


@dataclass(frozen=True, slots=True)
class Table:
    """A table, partitioned or not; partitions are part of theirs."""

    schema: str
    name: str
    of_tenants: bool

    def __str__(self) -> str:
        return f'"{self.schema}"."{self.name}"'


async def tables(connection: Connection) -> list[Table]:
    """Every table that is not PostgreSQL's own."""
    rows = await connection.fetch(
        "SELECT n.nspname, c.relname, EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid "
        "AND a.attname = 'tenant_id' AND NOT a.attisdropped) FROM pg_class c JOIN pg_namespace n ON n.oid = "
        f"c.relnamespace WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN {_NOT_OURS} "
        "AND n.nspname NOT LIKE 'pg_toast%' ORDER BY 1, 2"
    )
    return [Table(*row) for row in rows]


async def every_row(connection: Connection) -> dict[str, list[str]]:
    """All rows of all tables as PostgreSQL prints them, whole; binary columns in hexadecimal."""
    return await _rows(connection, await tables(connection))


async def _rows(
    connection: Connection, places: Sequence[Table], where: str = "", *arguments: object
) -> dict[str, list[str]]:
    """By table. In one statement: hundreds of them would take longer than what they are asked about."""
    found: dict[str, list[str]] = {str(table): [] for table in places}
    statement = " UNION ALL ".join(f"SELECT '{table}', t::text FROM {table} t {where}" for table in found)
    for table, text in await connection.fetch(statement, *arguments):
        found[table].append(text)
    return {table: sorted(texts) for table, texts in found.items()}


async def every_lasting_row(connection: Connection) -> dict[str, list[str]]:
    """The same without how often somebody asked, which is counted whatever comes of it."""
    rows = await every_row(connection)
    return {table: kept for table, kept in rows.items() if not table.endswith('."rate_limit"')}


async def rows_of(connection: Connection, tenant_id: UUID) -> dict[str, list[str]]:
    """The rows of one workspace, by table."""
    of_tenants = [table for table in await tables(connection) if table.of_tenants]
    return await _rows(connection, of_tenants, "WHERE tenant_id = $1", tenant_id)


async def ids_of_alone(connection: Connection, tenant_id: UUID) -> set[str]:
    """The ids in a workspace's rows that are in no other workspace's and in no table that all share."""
    own, others = set[str](), set[str]()
    for table in await tables(connection):
        whose = "tenant_id IS NOT DISTINCT FROM $1" if table.of_tenants else "$1::uuid IS NULL"
        for text, theirs in await connection.fetch(f"SELECT t::text, {whose} FROM {table} t", tenant_id):
            (own if theirs else others).update(_UUID.findall(text))
    # Who the others are and which events were handled is kept where every workspace's rows are together.
    return (own - others) | {str(tenant_id)}


async def row_counts(connection: Connection, schema: str) -> dict[str, int]:
    """How many rows the tables of a context have; an event counts once, whether it was sent already or not."""
    kept = [table for table in await tables(connection) if table.schema == schema]
    # Nor how often somebody asked.
    kept = [table for table in kept if table.name not in {"inbox", "dead_letter", "rate_limit"}]
    columns = ", ".join(f"(SELECT count(*) FROM {table})" for table in kept)
    [row] = await connection.fetch(f"SELECT {columns}")
    counts = {table.name: int(value) for table, value in zip(kept, row, strict=True)}
    return counts | {"event_log": 0, "outbox": 0, "events": counts["event_log"] + counts["outbox"]}
