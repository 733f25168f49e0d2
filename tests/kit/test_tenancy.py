"""Who sees which row? A transaction sees its tenant's, a worker all, and no role another context's."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from libs.kit.db import Database, Tx, database
from libs.kit.ids import uuid7
from libs.kit.settings import Settings
from tests.kit.builders import a_bar
from tests.kit.probe import Admin, Counter, count_up

OURS, THEIRS = uuid7(), uuid7()


@pytest.fixture
async def counted(db: Database) -> Database:
    """One counter in each of two workspaces."""
    for tenant in (OURS, THEIRS):
        async with db.transaction(tenant) as tx:
            await count_up(tx, tenant, "clicks")
    return db


async def tenants(tx: Tx) -> Sequence[UUID]:
    return await tx.scalars(select(Counter.tenant_id))


async def test_a_transaction_acts_in_the_role_that_is_made_for_it(db: Database) -> None:
    expected = ((db.transaction(OURS), "probe_api"), (db.public(), "probe_api"), (db.work(), "probe_worker"))
    for transaction, role in expected:
        async with transaction as tx:
            assert (await tx.fetch("SELECT current_user"))[0][0] == role


async def test_a_transaction_sees_the_rows_of_its_workspace_alone(counted: Database) -> None:
    async with counted.transaction(OURS) as tx:
        assert await tenants(tx) == [OURS]
        assert [row[0] for row in await tx.fetch("SELECT tenant_id FROM counter")] == [OURS]


async def test_a_public_transaction_sees_no_workspaces_rows(counted: Database) -> None:
    async with counted.public() as tx:
        assert await tenants(tx) == []


async def test_a_worker_sees_the_rows_of_every_workspace(counted: Database) -> None:
    async with counted.work() as tx:
        assert set(await tenants(tx)) == {OURS, THEIRS}


async def test_a_workspace_cannot_insert_a_row_of_another(db: Database) -> None:
    with pytest.raises(DBAPIError, match="row-level security"):
        async with db.transaction(OURS) as tx:
            tx.add(Counter(tenant_id=THEIRS, name="clicks", value=0))


async def test_a_workspace_cannot_give_a_row_away(counted: Database) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with counted.transaction(OURS) as tx:
            await tx.fetch("UPDATE counter SET tenant_id = $1", THEIRS)


async def test_an_update_does_not_reach_the_rows_of_another_workspace(counted: Database, admin: Admin) -> None:
    async with counted.transaction(OURS) as tx:
        await tx.fetch("UPDATE counter SET value = 99")

    rows = await admin.fetch("SELECT tenant_id, value FROM probe.counter")
    assert {row[0]: row[1] for row in rows} == {OURS: 99, THEIRS: 1}


async def test_a_workspace_cannot_publish_in_the_name_of_another(db: Database) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with db.transaction(OURS) as tx:
            tx.publish(Counter(id=uuid7(), tenant_id=THEIRS, name="x", value=0, version=0), a_bar())


async def test_no_tenant_leaks_into_the_next_transaction_of_the_connection(settings: Settings) -> None:
    one_connection = settings.model_copy(update={"database_pool_size": 1})
    async with database(one_connection, "probe") as db:
        async with db.transaction(OURS) as tx:
            await count_up(tx, OURS, "clicks")
            first = await tx.fetch("SELECT pg_backend_pid()")
        async with db.public() as tx:
            assert await tx.fetch("SELECT pg_backend_pid()") == first
            assert await tenants(tx) == []
            assert (await tx.fetch("SELECT current_setting('app.tenant_id')"))[0][0] == ""
        with pytest.raises(RuntimeError):
            async with db.transaction(OURS):
                raise RuntimeError
        async with db.public() as tx:
            assert await tenants(tx) == []


async def test_a_connection_at_rest_carries_no_tenant(settings: Settings) -> None:
    async with database(settings.model_copy(update={"database_pool_size": 1}), "probe") as db:
        async with db.transaction(OURS) as tx:
            used = await tx.fetch("SELECT pg_backend_pid()")
        async with db._engines["api"].connect() as connection:  # noqa: SLF001 as nobody else gets it
            found = await connection.execute(text("SELECT pg_backend_pid(), current_setting('app.tenant_id', true)"))
            assert found.one() == (used[0][0], "")


async def test_row_level_security_holds_the_owner_of_the_tables_too(counted: Database, admin: Admin) -> None:
    connection = await asyncpg.connect(admin.url)
    try:
        await connection.execute("SET ROLE probe_owner")
        for table in ("counter", "outbox", "event_log", "idempotency_key"):
            assert await connection.fetchval(f"SELECT count(*) FROM probe.{table}") == 0
    finally:
        await connection.close()
    assert (await admin.fetch("SELECT count(*) FROM probe.outbox"))[0][0] == 2


async def test_every_table_with_a_tenant_forces_row_level_security(db: Database, admin: Admin) -> None:
    unprotected = await admin.fetch("""
        SELECT c.oid::regclass::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE a.attname = 'tenant_id' AND c.relkind IN ('r', 'p') AND c.relnamespace = 'probe'::regnamespace
          AND NOT (c.relrowsecurity AND c.relforcerowsecurity)""")
    assert unprotected == []


@pytest.mark.parametrize("table", ["outbox", "inbox", "dead_letter"])
async def test_the_api_role_cannot_read_the_message_tables(counted: Database, table: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with counted.transaction(OURS) as tx:
            await tx.fetch(f"SELECT * FROM {table}")


@pytest.mark.parametrize("role", ["probe_api", "probe_worker", "probe_owner"])
@pytest.mark.parametrize("table", ["instrument", "outbox", "event_log", "inbox", "dead_letter"])
async def test_no_role_of_a_context_reads_anothers_schema(settings: Settings, role: str, table: str) -> None:
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    try:
        await connection.execute(f"SET ROLE {role}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="schema marketdata"):
            await connection.fetch(f"SELECT * FROM marketdata.{table}")
    finally:
        await connection.close()


async def test_nobody_reaches_a_partition_past_its_parent(counted: Database, admin: Admin) -> None:
    rows = await admin.fetch("""
        SELECT inhrelid::regclass::text FROM pg_inherits
        WHERE inhparent IN ('probe.event_log'::regclass, 'probe.inbox'::regclass)""")
    assert len(rows) >= 2
    for (partition,) in rows:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with counted.work() as tx:
                await tx.fetch(f"SELECT * FROM {partition}")
