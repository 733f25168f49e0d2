"""Which tables are there? Whatever PostgreSQL's catalogue lists, in every schema that is not its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import asyncpg

BACKBONE = frozenset({"outbox", "event_log", "inbox", "dead_letter", "idempotency_key"})
"""The tables that carry messages; they are looked at by checks of their own."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table, partition or view."""

    schema: str
    name: str
    kind: str
    """As in pg_class.relkind: `r` table, `p` partitioned table, `v` view, `m` materialised view."""
    is_partition: bool
    secured: bool
    """Whether row-level security is on."""
    forced: bool
    """Whether it holds for the owner too."""
    columns: Mapping[str, str]
    """Names and types."""
    primary_key: tuple[str, ...]
    uniques: tuple[tuple[str, ...], ...]
    """The columns of its unique constraints."""

    def __str__(self) -> str:
        return f'{self.schema}."{self.name}"'

    @property
    def is_view(self) -> bool:
        """Whether its rows are another table's."""
        return self.kind in {"v", "m"}

    def has(self, *columns: str) -> bool:
        """Whether it has all these columns."""
        return self.columns.keys() >= set(columns)

    def is_uuid(self, column: str) -> bool:
        """Whether the column holds an id."""
        return self.columns.get(column) == "uuid"


_TABLES = """
    SELECT n.nspname, c.relname, c.relkind::text, c.relispartition, c.relrowsecurity, c.relforcerowsecurity,
           ARRAY(SELECT a.attname || ' ' || format_type(a.atttypid, NULL) FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
           ARRAY(SELECT (k.contype = 'p')::text || ' ' || string_agg(a.attname, ' ' ORDER BY a.attnum)
                 FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(k.conkey)
                 WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u') GROUP BY k.oid, k.contype)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
    ORDER BY 1, 2
"""


async def read_tables(database: asyncpg.Connection[asyncpg.Record]) -> list[Table]:
    """Every table, partition and view that somebody made."""
    return [_table(row) for row in await database.fetch(_TABLES)]


def _table(row: asyncpg.Record) -> Table:
    *place, columns, constraints = row
    keys = [text.split() for text in constraints]
    return Table(
        *place,
        columns=dict(text.split(" ", 1) for text in columns),
        primary_key=next((tuple(names) for primary, *names in keys if primary == "true"), ()),
        uniques=tuple(tuple(names) for primary, *names in keys if primary == "false"),
    )


def of_contexts(tables: Iterable[Table]) -> Sequence[Table]:
    """The tables that hold what a context knows: no partitions, views or message tables."""
    return [table for table in tables if not (table.is_partition or table.is_view or table.name in BACKBONE)]
