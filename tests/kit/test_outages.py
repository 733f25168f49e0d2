"""Whose fault is it? What waiting can heal is an outage; all else counts against the event, or it would wait for ever."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from libs.kit.db import Database, database
from libs.kit.errors import Conflict
from libs.kit.outages import is_outage
from libs.kit.settings import Settings
from tests.kit.probe import Admin


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1/0",
        "SELECT * FROM nowhere",
        "INSERT INTO effect (event_id, key, sequence) VALUES (NULL, 'x', 1)",
        "SELECT pg_sleep(1) FROM (SELECT set_config('statement_timeout', '10', true)) s",
        "SELECT lastval()",
    ],
)
async def test_a_statement_that_fails_by_itself_is_the_events_fault(db: Database, sql: str) -> None:
    with pytest.raises(Exception) as raw:  # noqa: PT011
        async with db.work() as tx:
            await tx.fetch("SET LOCAL statement_timeout = 50")
            await tx.fetch(sql)
    with pytest.raises(Exception) as mapped:  # noqa: PT011
        async with db.work() as tx:
            await tx.fetch("SET LOCAL statement_timeout = 50")
            await tx.execute(text(sql))

    assert not is_outage(raw.value), repr(raw.value)
    assert not is_outage(mapped.value), repr(mapped.value)


@pytest.mark.parametrize("argument", ["not a number", 2**70, None, object()])
async def test_an_argument_that_does_not_fit_is_the_events_fault(db: Database, argument: object) -> None:
    with pytest.raises(Exception) as failed:  # noqa: PT011
        async with db.work() as tx:
            await tx.fetch("INSERT INTO effect (event_id, key, sequence) VALUES (gen_random_uuid(), 'x', $1)", argument)

    assert not is_outage(failed.value), repr(failed.value)


@pytest.mark.parametrize("error", [ValueError(), FileNotFoundError(), PermissionError(), Conflict("no")])
def test_errors_of_the_code_are_the_events_fault(error: Exception) -> None:
    assert not is_outage(error)


@pytest.mark.parametrize("how", ["asyncpg", "sqlalchemy"])
async def test_a_connection_that_is_killed_is_an_outage(db: Database, admin: Admin, how: str) -> None:
    for _ in range(2):  # the first statement after it, and one of a connection that is known to be gone
        with pytest.raises(Exception) as failed:  # noqa: PT011
            async with db.work() as tx:
                await admin.kill_connections()
                await (tx.fetch("SELECT 1") if how == "asyncpg" else tx.execute(text("SELECT 1")))
        assert is_outage(failed.value), repr(failed.value)


async def test_a_connection_that_is_lost_is_an_outage_for_every_later_statement(db: Database, admin: Admin) -> None:
    errors: list[Exception] = []
    with pytest.raises(Exception) as ended:  # noqa: PT011
        async with db.work() as tx:
            await admin.kill_connections()
            for _ in range(3):
                try:
                    await tx.fetch("SELECT 1")
                except Exception as error:  # noqa: BLE001 which one is the driver's choice
                    errors.append(error)
    assert len(errors) == 3
    for error in (*errors, ended.value):
        assert is_outage(error), repr(error)


async def test_a_connection_that_is_lost_before_the_commit_is_an_outage(db: Database, admin: Admin) -> None:
    with pytest.raises(Exception) as failed:  # noqa: PT011
        async with db.work() as tx:
            await tx.fetch("SELECT 1")
            await admin.kill_connections()
    assert is_outage(failed.value), repr(failed.value)


async def test_a_database_that_refuses_connections_is_an_outage(db: Database, admin: Admin) -> None:
    async with admin.away():
        with pytest.raises(Exception) as failed:  # noqa: PT011
            async with db.work():
                pass
    assert is_outage(failed.value), repr(failed.value)


async def test_a_server_that_is_not_there_is_an_outage(settings: Settings) -> None:
    nowhere = settings.model_copy(
        update={"database_url": type(settings.database_url)("postgresql://nobody:x@127.0.0.1:9/nothing")}
    )
    async with database(nowhere, "probe") as db:
        with pytest.raises(Exception) as failed:  # noqa: PT011
            async with db.public():
                pass
    assert is_outage(failed.value), repr(failed.value)


async def test_a_deadlock_is_an_outage_since_another_try_heals_it(db: Database) -> None:
    with pytest.raises(Exception) as failed:  # noqa: PT011
        async with db.work() as tx:
            await tx.execute(text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$"))
    assert is_outage(failed.value)
