"""What does PostgreSQL know of a context's schema? Tables, columns, constraints, policies and rights, as values."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import asyncpg

ROLES = ("owner", "api", "worker")
TABLE_PRIVILEGES = (
    "SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN",
)  # fmt: skip
COLUMN_PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "REFERENCES")

Connection = asyncpg.Connection

# Partitions of today depend on the day; the default one does not.
_TABLES = "c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p') AND c.relname !~ '_[0-9]{4}_[0-9]{2}$'"


@dataclass(frozen=True, slots=True)
class Table:
    """A table or a partition."""

    schema: str
    name: str
    row_security: bool
    forced: bool

    def __str__(self) -> str:
        return f'{self.schema}."{self.name}"'


async def tenant_tables(connection: Connection, schema: str) -> list[Table]:
    """The schema's tables with a `tenant_id`, partitions among them."""
    rows = await connection.fetch(
        "SELECT $1::text, c.relname, c.relrowsecurity, c.relforcerowsecurity FROM pg_class c JOIN pg_attribute a "
        "ON a.attrelid = c.oid WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p') "
        "AND a.attname = 'tenant_id' AND NOT a.attisdropped ORDER BY 2",
        schema,
    )
    return [Table(*row) for row in rows]


async def open_tables(connection: Connection, schema: str) -> list[str]:
    """Tables with a `tenant_id` whose rows are not kept apart, or not from their owner."""
    return [
        str(table) for table in await tenant_tables(connection, schema) if not (table.row_security and table.forced)
    ]


async def strong_roles(connection: Connection, roles: Collection[str]) -> list[str]:
    """Those of the roles that can log in, pass row-level security, or make others do so."""
    rows = await connection.fetch(
        "SELECT rolname FROM pg_roles WHERE rolname = ANY($1) AND "
        "(rolcanlogin OR rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)",
        roles,
    )
    return [row[0] for row in rows]


async def memberships(connection: Connection, roles: Collection[str]) -> list[str]:
    """What those of the roles that are members of others are members of: `orders_api in orders_owner`."""
    rows = await connection.fetch(
        "SELECT member::regrole || ' in ' || roleid::regrole FROM pg_auth_members WHERE member::regrole::text = ANY($1)",
        roles,
    )
    return [row[0] for row in rows]


async def unprotected_views(connection: Connection, schema: str) -> list[str]:
    """Views that read with the rights of whoever made them."""
    return await _names(
        connection,
        "SELECT relname FROM pg_class WHERE relnamespace = $1::regnamespace AND (relkind = 'm' OR relkind = 'v' "
        "AND NOT coalesce(reloptions, '{}') && ARRAY['security_invoker=true', 'security_invoker=on'])",
        schema,
    )


async def definer_functions(connection: Connection, schema: str) -> list[str]:
    """Functions that run with the rights of whoever made them."""
    return await _names(
        connection, "SELECT proname FROM pg_proc WHERE pronamespace = $1::regnamespace AND prosecdef", schema
    )


async def privileges(connection: Connection, role: str, schema: str) -> set[str]:
    """All that a role may do in a schema: `SELECT on orders.fill`."""
    rows = await connection.fetch(
        """
        SELECT p || ' on schema ' || $2 FROM unnest(ARRAY['USAGE', 'CREATE']) p
        WHERE has_schema_privilege($1, $2::regnamespace, p)
        UNION ALL
        SELECT p || ' on ' || c.oid::regclass FROM pg_class c, unnest($3::text[]) p
        WHERE c.relnamespace = $2::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
          AND (has_table_privilege($1, c.oid, p) OR p = ANY($4::text[]) AND has_any_column_privilege($1, c.oid, p))
        UNION ALL
        SELECT p || ' on ' || c.oid::regclass FROM pg_class c, unnest(ARRAY['USAGE', 'SELECT', 'UPDATE']) p
        WHERE c.relnamespace = $2::regnamespace AND c.relkind = 'S' AND has_sequence_privilege($1, c.oid, p)
        """,
        role,
        schema,
        TABLE_PRIVILEGES,
        COLUMN_PRIVILEGES,
    )
    return {row[0] for row in rows}


async def description(connection: Connection, schema: str) -> dict[str, list[str]]:
    """Everything that migrations make in a schema, to be compared with another time; without partitions of months."""
    parts = {
        "columns": (
            "SELECT concat_ws(' ', c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, "
            "a.attidentity, pg_get_expr(d.adbin, d.adrelid)) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
            "LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum "
            f"WHERE {_TABLES} AND a.attnum > 0 AND NOT a.attisdropped"
        ),
        "tables": (
            "SELECT concat_ws(' ', c.relname, c.relkind, c.relowner::regrole, c.relrowsecurity, c.relforcerowsecurity, "
            f"c.reloptions, c.relacl) FROM pg_class c WHERE {_TABLES}"
        ),
        "constraints": (
            "SELECT concat_ws(' ', c.relname, o.conname, pg_get_constraintdef(o.oid)) FROM pg_constraint o "
            f"JOIN pg_class c ON c.oid = o.conrelid WHERE {_TABLES}"
        ),
        "indexes": (
            "SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid "
            f"WHERE {_TABLES}"
        ),
        "policies": "SELECT concat_ws(' ', p.*) FROM pg_policies p WHERE p.schemaname = $1::text",
        "functions": "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = $1::regnamespace",
    }
    # To read a policy that asks another table is to lock that one: migrations must not wait for the end of the test.
    reading = connection.transaction()
    await reading.start()
    try:
        return {part: sorted(await _names(connection, query, schema)) for part, query in parts.items()}
    finally:
        await reading.rollback()


async def checks(connection: Connection, schema: str) -> set[tuple[str, str]]:
    """The schema's CHECK constraints, as table and name; those of partitions are their parents'."""
    rows = await connection.fetch(
        "SELECT c.relname, o.conname FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid "
        "WHERE c.relnamespace = $1::regnamespace AND o.contype = 'c' AND NOT c.relispartition",
        schema,
    )
    return {(row[0], row[1]) for row in rows}


async def loosen(connection: Connection, tables: Iterable[Table]) -> None:
    """Let tables take a row with little in it: no checks, no references, no needed columns but those of the key."""
    for table in tables:
        for kinds in ("f", "c", "n"):  # what refers to others goes first
            names = await connection.fetch(
                'SELECT o.conname FROM pg_constraint o WHERE o.conrelid = $1::regclass AND o.contype = $2::text::"char" '
                "AND o.coninhcount = 0 AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = o.conrelid "
                "AND k.contype = 'p' AND o.contype = 'n' AND o.conkey <@ k.conkey)",
                str(table),
                kinds,
            )
            for (name,) in names:
                await connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')


async def plant(connection: Connection, table: Table, tenant_id: str, value: int) -> None:
    """Insert a row of a tenant into a loosened table; `value` tells keys apart."""
    rows = await connection.fetch(
        "SELECT a.attname, format_type(a.atttypid, NULL) FROM pg_constraint k JOIN pg_attribute a "
        "ON a.attrelid = k.conrelid AND a.attnum = ANY(k.conkey) WHERE k.conrelid = $1::regclass AND k.contype = 'p' "
        "AND a.attname <> 'tenant_id' AND a.attidentity = ''",
        str(table),
    )
    literals = {f'"{name}"': _literal(kind, value) for name, kind in rows} | {"tenant_id": f"'{tenant_id}'"}
    await connection.execute(f"INSERT INTO {table} ({', '.join(literals)}) VALUES ({', '.join(literals.values())})")


def _literal(kind: str, value: int) -> str:
    values = {
        "uuid": f"'00000000-0000-7000-8000-{value:012}'",
        "timestamp with time zone": f"'2026-01-{value + 1:02}T00:00:00Z'",
        "date": f"'2026-01-{value + 1:02}'",
    }
    return values.get(kind, f"'{value}'")


async def _names(connection: Connection, query: str, schema: str) -> list[str]:
    return [str(row[0]) for row in await connection.fetch(query, schema)]
