"""Is every tenant's data its own, whatever a statement forgets? And is every context's?"""

from __future__ import annotations

from itertools import permutations

import asyncpg
import pytest

from fillstream.contexts import names
from tests.structure.catalogue import (
    ROLES,
    Table,
    definer_functions,
    loosen,
    memberships,
    open_tables,
    plant,
    privileges,
    strong_roles,
    tenant_tables,
    unprotected_views,
)

_ONE, _OTHER = "0198a000-0000-7000-8000-00000000000a", "0198a000-0000-7000-8000-00000000000b"
_HERE, _THERE = names()[:2]
_ROLES = [f"{context}_{role}" for context in names() for role in ROLES]
_CHANGING = {"CREATE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"}


async def outbox_rights(connection: asyncpg.Connection, context: str) -> set[str]:
    """What the API may do with the outbox."""
    rights = await privileges(connection, f"{context}_api", context)
    return {right.split()[0] for right in rights if right.endswith(".outbox")}


async def changing_rights(connection: asyncpg.Connection, context: str) -> set[str]:
    """Rights of the API or the worker to change the schema itself."""
    found = await privileges(connection, f"{context}_api", context)
    found |= await privileges(connection, f"{context}_worker", context)
    return {right for right in found if right.split()[0] in _CHANGING}


async def foreign_rights(connection: asyncpg.Connection) -> set[str]:
    """Rights of any context's roles in another context's schema."""
    return {
        f"{own}_{role}: {right}"
        for own, other in permutations(names(), 2)
        for role in ROLES
        for right in await privileges(connection, f"{own}_{role}", other)
    }


@pytest.mark.parametrize("context", names())
async def test_tables_of_tenants_force_row_level_security(admin: asyncpg.Connection, context: str) -> None:
    tables = {table.name for table in await tenant_tables(admin, context)}
    assert {"outbox", "event_log", "event_log_default", "idempotency_key"} <= tables
    assert not await open_tables(admin, context)


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE {0}.leak (tenant_id uuid)",
        "ALTER TABLE {0}.outbox DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE {0}.outbox NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE {0}.event_log_default DISABLE ROW LEVEL SECURITY",
    ],
)
async def test_an_open_table_is_found(admin: asyncpg.Connection, change: str) -> None:
    await admin.execute(change.format(_HERE))
    assert len(await open_tables(admin, _HERE)) == 1


@pytest.mark.parametrize("context", names())
async def test_nothing_reads_with_the_rights_of_its_maker(admin: asyncpg.Connection, context: str) -> None:
    assert not await unprotected_views(admin, context)
    assert not await definer_functions(admin, context)


async def test_what_reads_with_the_rights_of_its_maker_is_found(admin: asyncpg.Connection) -> None:
    await admin.execute(f"CREATE VIEW {_HERE}.leak AS SELECT * FROM {_HERE}.outbox")
    await admin.execute(f"CREATE VIEW {_HERE}.tight WITH (security_invoker = true) AS SELECT * FROM {_HERE}.outbox")
    await admin.execute(f"CREATE FUNCTION {_HERE}.leak() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'")
    assert await unprotected_views(admin, _HERE) == ["leak"]
    assert await definer_functions(admin, _HERE) == ["leak"]


@pytest.mark.parametrize("context", names())
async def test_the_api_may_only_add_to_the_outbox(admin: asyncpg.Connection, context: str) -> None:
    assert await outbox_rights(admin, context) == {"INSERT"}


@pytest.mark.parametrize("right", ["SELECT", "DELETE", "SELECT (id)", "ALL"])
async def test_a_right_on_the_outbox_is_found(admin: asyncpg.Connection, right: str) -> None:
    await admin.execute(f"GRANT {right} ON {_HERE}.outbox TO {_HERE}_api")
    assert await outbox_rights(admin, _HERE) > {"INSERT"}


@pytest.mark.parametrize("context", names())
async def test_neither_the_api_nor_the_worker_may_change_the_schema(admin: asyncpg.Connection, context: str) -> None:
    assert f"USAGE on schema {context}" in await privileges(admin, f"{context}_api", context)
    assert not await changing_rights(admin, context)


@pytest.mark.parametrize("grant", ["CREATE ON SCHEMA {0} TO {0}_api", "TRUNCATE ON {0}.inbox TO {0}_worker"])
async def test_a_right_to_change_the_schema_is_found(admin: asyncpg.Connection, grant: str) -> None:
    await admin.execute(f"GRANT {grant.format(_HERE)}")
    assert await changing_rights(admin, _HERE)


async def test_no_role_has_any_right_in_another_context(admin: asyncpg.Connection) -> None:
    assert not await foreign_rights(admin)


@pytest.mark.parametrize(
    "grant",
    [
        "USAGE ON SCHEMA {0} TO {1}_worker",
        "SELECT ON {0}.event_log TO {1}_owner",
        "UPDATE (data) ON {0}.event_log TO {1}_api",
        "SELECT ON {0}.inbox TO PUBLIC",
        "USAGE ON SEQUENCE {0}.outbox_id_seq TO {1}_api",
    ],
)
async def test_a_right_in_another_context_is_found(admin: asyncpg.Connection, grant: str) -> None:
    await admin.execute(f"GRANT {grant.format(_HERE, _THERE)}")
    assert await foreign_rights(admin)


async def test_no_role_is_a_member_of_another(admin: asyncpg.Connection) -> None:
    assert not await memberships(admin, _ROLES)


async def test_a_membership_is_found(admin: asyncpg.Connection) -> None:
    await admin.execute(f"GRANT {_HERE}_owner TO {_THERE}_api")
    assert await memberships(admin, _ROLES) == [f"{_THERE}_api in {_HERE}_owner"]


async def test_roles_can_neither_log_in_nor_pass_row_level_security(admin: asyncpg.Connection) -> None:
    assert await admin.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = ANY($1)", _ROLES) == len(_ROLES)
    assert not await strong_roles(admin, _ROLES)


@pytest.mark.parametrize("power", ["LOGIN", "SUPERUSER", "BYPASSRLS", "CREATEROLE"])
async def test_a_strong_role_is_found(admin: asyncpg.Connection, power: str) -> None:
    await admin.execute(f"ALTER ROLE {_HERE}_api {power}")
    assert await strong_roles(admin, _ROLES) == [f"{_HERE}_api"]


@pytest.mark.parametrize("context", names())
async def test_the_api_sees_the_rows_of_its_tenant_alone_and_without_one_none(
    admin: asyncpg.Connection, context: str
) -> None:
    tables = await tenant_tables(admin, context)
    parents = [table for table in tables if not table.name.startswith("event_log_")]
    await loosen(admin, parents)
    readable = []
    for table in parents:
        await plant(admin, table, _ONE, 1)
        await plant(admin, table, _OTHER, 2)
        if await admin.fetchval("SELECT has_table_privilege($1, $2, 'SELECT')", f"{context}_api", str(table)):
            readable.append(table)
    assert await _seen(admin, context, readable, tenant=None) == {str(table): [] for table in readable}
    assert await _seen(admin, context, readable, tenant="") == {str(table): [] for table in readable}
    assert await _seen(admin, context, readable, tenant=_ONE) == {str(table): [_ONE] for table in readable}


@pytest.mark.parametrize("context", names())
async def test_the_owner_who_migrates_sees_no_rows(admin: asyncpg.Connection, context: str) -> None:
    tables = [table for table in await tenant_tables(admin, context) if not table.name.startswith("event_log_")]
    await loosen(admin, tables)
    for table in tables:
        await plant(admin, table, _ONE, 1)
    async with admin.transaction():
        await admin.execute(f"SET LOCAL ROLE {context}_owner")
        assert not [str(table) for table in tables if await admin.fetch(f"SELECT FROM {table}")]


async def test_a_policy_that_lets_all_rows_through_is_found(admin: asyncpg.Connection) -> None:
    [table] = [table for table in await tenant_tables(admin, _HERE) if table.name == "idempotency_key"]
    await admin.execute(f"CREATE POLICY leak ON {table} FOR SELECT TO {_HERE}_api USING (true)")
    await loosen(admin, [table])
    await plant(admin, table, _ONE, 1)
    await plant(admin, table, _OTHER, 2)
    assert await _seen(admin, _HERE, [table], tenant=None) == {str(table): [_ONE, _OTHER]}


async def _seen(
    admin: asyncpg.Connection, context: str, tables: list[Table], *, tenant: str | None
) -> dict[str, list[str]]:
    """The tenants whose rows the API's role finds in each table."""
    async with admin.transaction():
        await admin.execute(f"SET LOCAL ROLE {context}_api")
        if tenant is not None:
            await admin.execute("SELECT set_config('app.tenant_id', $1, true)", tenant)
        return {
            str(table): [str(row[0]) for row in await admin.fetch(f"SELECT tenant_id FROM {table}")] for table in tables
        }
