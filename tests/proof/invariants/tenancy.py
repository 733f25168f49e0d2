"""Does every workspace have its own, and see nobody else's?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.proof.invariants.evidence import Evidence
from tests.proof.invariants.tables import Table, of_contexts
from tests.proof.invariants.violation import Invariant


async def every_tenant_table_forces_row_level_security(evidence: Evidence) -> list[str]:
    """A table or partition with a `tenant_id` has row-level security, forced."""
    return [
        f"{table} has a tenant_id, and row-level security is {'not forced' if table.secured else 'off'}"
        for table in evidence.tables
        if table.has("tenant_id") and not table.is_view and not (table.secured and table.forced)
    ]


@dataclass(frozen=True, slots=True)
class _Reference:
    """Columns of one table that name rows of another."""

    table: Table
    columns: tuple[str, ...]
    other: Table
    keys: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.table}.{'+'.join(self.columns)}"


_FOREIGN_KEYS = """
    SELECT n.nspname, c.relname, ARRAY(SELECT attname FROM unnest(k.conkey) WITH ORDINALITY u (num, place)
                                       JOIN pg_attribute ON attrelid = k.conrelid AND attnum = num ORDER BY place),
           f.nspname, o.relname, ARRAY(SELECT attname FROM unnest(k.confkey) WITH ORDINALITY u (num, place)
                                       JOIN pg_attribute ON attrelid = k.confrelid AND attnum = num ORDER BY place)
    FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_class o ON o.oid = k.confrelid JOIN pg_namespace f ON f.oid = o.relnamespace
    WHERE k.contype = 'f'
"""


async def no_row_refers_to_another_tenant(evidence: Evidence) -> list[str]:
    """What a foreign key, or an id named after a table, refers to is of the same tenant."""
    found = []
    for reference in {str(one) + str(one.other): one for one in await _references(evidence)}.values():
        on = " AND ".join(
            f'a."{column}" = b."{key}"' for column, key in zip(reference.columns, reference.keys, strict=True)
        )
        rows = await evidence.database.fetch(
            f"SELECT a.*, b.tenant_id AS owner FROM {reference.table} a JOIN {reference.other} b ON {on} "
            "WHERE a.tenant_id <> b.tenant_id"
        )
        found += [
            f"{reference} of {row['tenant_id']} names {row[reference.columns[0]]} of {reference.other}, "
            f"which belongs to {row['owner']}"
            for row in rows
        ]
    return found


async def _references(evidence: Evidence) -> list[_Reference]:
    owned = [table for table in evidence.tables if table.has("tenant_id") and not table.is_view]
    known = {(table.schema, table.name): table for table in owned}
    keys = [
        _Reference(known[here, name], tuple(columns), known[there, other], tuple(others))
        for here, name, columns, there, other, others in await evidence.database.fetch(_FOREIGN_KEYS)
        if (here, name) in known and (there, other) in known
    ]
    return keys + [reference for table in of_contexts(owned) for reference in _by_name(table, of_contexts(owned))]


def _by_name(table: Table, others: Iterator[Table] | list[Table]) -> Iterator[_Reference]:
    """`account_id` names a row of `account`, in whichever schema there is one."""
    for other in others:
        column = f"{other.name}_id"
        if table.is_uuid(column) and other.is_uuid("id"):
            yield _Reference(table, (column,), other, ("id",))


async def one_id_has_one_tenant(evidence: Evidence) -> list[str]:
    """Rows of different tables that share an id, as an account and its books do, are of one tenant."""
    rows = await evidence.database.fetch(
        f"SELECT id, array_agg(place || ' of ' || tenant_id ORDER BY place) FROM ({_owners(evidence)}) owner "
        "GROUP BY id HAVING count(DISTINCT tenant_id) > 1"
    )
    return [f"{id_} is {', '.join(places)}" for id_, places in rows]


def _owners(evidence: Evidence) -> str:
    """A query for the tenants of all ids."""
    return " UNION ALL ".join(
        f"SELECT id, tenant_id, '{table}' AS place FROM {table}"
        for table in of_contexts(evidence.tables)
        if table.is_uuid("id") and table.is_uuid("tenant_id")
    )


INVARIANTS = (
    Invariant(every_tenant_table_forces_row_level_security),
    Invariant(no_row_refers_to_another_tenant),
    Invariant(one_id_has_one_tenant),
)
