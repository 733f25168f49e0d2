"""Is every tenant's data its own, whatever a statement forgets? And is every context's?"""

from __future__ import annotations

from itertools import permutations

import asyncpg
import pytest

from fillstream.contexts import names
from tests.structure.catalogue import (
    ROLES,
    definer_functions,
    loosen,
    plant,
    privileges,
    tenant_tables,
    unprotected_views,
)

_ONE, _OTHER = "0198a000-0000-7000-8000-00000000000a", "0198a000-0000-7000-8000-00000000000b"


@pytest.mark.parametrize("context", names())
async def test_tables_of_tenants_force_row_level_security(admin: asyncpg.Connection, context: str) -> None:
    tables = await tenant_tables(admin, context)
    assert {"outbox", "event_log", "idempotency_key"} <= {table.name for table in tables}
    assert not [str(table) for table in tables if not (table.row_security and table.forced)]


@pytest.mark.parametrize("context", names())
async def test_nothing_reads_with_the_rights_of_its_maker(admin: asyncpg.Connection, context: str) -> None:
    assert not await unprotected_views(admin, context)
    assert not await definer_functions(admin, context)


@pytest.mark.parametrize("context", names())
async def test_the_api_may_only_add_to_the_outbox(admin: asyncpg.Connection, context: str) -> None:
    rights = await privileges(admin, f"{context}_api", context)
    assert {right for right in rights if right.endswith("outbox")} == {f"INSERT on {context}.outbox"}


@pytest.mark.parametrize("context", names())
async def test_neither_the_api_nor_the_worker_may_change_the_schema(admin: asyncpg.Connection, context: str) -> None:
    for role in ("api", "worker"):
        rights = await privileges(admin, f"{context}_{role}", context)
        assert f"USAGE on schema {context}" in rights
        assert not {r for r in rights if r.split()[0] in {"CREATE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"}}


async def test_no_role_has_any_right_in_another_context(admin: asyncpg.Connection) -> None:
    found = {
        f"{own}_{role}: {right}"
        for own, other in permutations(names(), 2)
        for role in ROLES
        for right in await privileges(admin, f"{own}_{role}", other)
    }
    assert not found


async def test_no_role_is_a_member_of_another(admin: asyncpg.Connection) -> None:
    ours = [f"{context}_{role}" for context in names() for role in ROLES]
    members = await admin.fetch(
        "SELECT member::regrole::text, roleid::regrole::text FROM pg_auth_members WHERE member::regrole::text = ANY($1)",
        ours,
    )
    assert not [tuple(row) for row in members]


async def test_roles_can_neither_log_in_nor_pass_row_level_security(admin: asyncpg.Connection) -> None:
    ours = [f"{context}_{role}" for context in names() for role in ROLES]
    rows = await admin.fetch(
        "SELECT rolname, rolcanlogin OR rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication "
        "FROM pg_roles WHERE rolname = ANY($1)",
        ours,
    )
    assert {row[0] for row in rows} == set(ours)
    assert not [row[0] for row in rows if row[1]]


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


async def _seen(
    admin: asyncpg.Connection, context: str, tables: list[object], *, tenant: str | None
) -> dict[str, list[str]]:
    """The tenants whose rows the API's role finds in each table."""
    async with admin.transaction():
        await admin.execute(f"SET LOCAL ROLE {context}_api")
        if tenant is not None:
            await admin.execute("SELECT set_config('app.tenant_id', $1, true)", tenant)
        return {
            str(table): [str(row[0]) for row in await admin.fetch(f"SELECT tenant_id FROM {table}")] for table in tables
        }
