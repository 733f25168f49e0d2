"""Whose fault is it? What waiting can heal is an outage; all else counts against the event, or it would wait for ever."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from libs.kit.db import Database, Tx, database
from libs.kit.errors import Conflict
from libs.kit.outages import is_outage
from libs.kit.settings import Settings
from tests.kit.probe import Admin


async def failure(work: Awaitable[object]) -> Exception:
    """What the work raises; it has to raise something."""
    try:
        await work
    except Exception as error:  # noqa: BLE001 which one is the driver's choice
        return error
    raise AssertionError("nothing was raised")


async def working(db: Database, *steps: Callable[[Tx], Awaitable[object]]) -> None:
    """One transaction of a consumer."""
    async with db.work() as tx:
        for step in steps:
            await step(tx)


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
    def hurry(tx: Tx) -> Awaitable[object]:
        return tx.fetch("SET LOCAL statement_timeout = 50")

    raw = await failure(working(db, hurry, lambda tx: tx.fetch(sql)))
    mapped = await failure(working(db, hurry, lambda tx: tx.execute(text(sql))))

    assert not is_outage(raw), repr(raw)
    assert not is_outage(mapped), repr(mapped)


@pytest.mark.parametrize("argument", ["not a number", 2**70, None, object()])
async def test_an_argument_that_does_not_fit_is_the_events_fault(db: Database, argument: object) -> None:
    sql = "INSERT INTO effect (event_id, key, sequence) VALUES (gen_random_uuid(), 'x', $1)"
    error = await failure(working(db, lambda tx: tx.fetch(sql, argument)))

    assert not is_outage(error), repr(error)


@pytest.mark.parametrize("error", [ValueError(), FileNotFoundError(), PermissionError(), Conflict("no")])
def test_errors_of_the_code_are_the_events_fault(error: Exception) -> None:
    assert not is_outage(error)


@pytest.mark.parametrize("how", ["asyncpg", "sqlalchemy"])
async def test_a_connection_that_is_killed_is_an_outage(db: Database, admin: Admin, how: str) -> None:
    for _ in range(2):  # the first statement after it, and one of a connection that is known to be gone
        error = await failure(
            working(
                db,
                lambda _: admin.kill_connections(),
                lambda tx: tx.fetch("SELECT 1") if how == "asyncpg" else tx.execute(text("SELECT 1")),
            )
        )
        assert is_outage(error), repr(error)


async def test_a_connection_that_is_lost_is_an_outage_for_every_later_statement(db: Database, admin: Admin) -> None:
    errors: list[Exception] = []

    async def note(tx: Tx) -> None:
        errors.append(await failure(tx.fetch("SELECT 1")))

    ended = await failure(working(db, lambda _: admin.kill_connections(), note, note, note))
    assert len(errors) == 3
    for error in (*errors, ended):
        assert is_outage(error), repr(error)


async def test_a_connection_that_is_lost_before_the_commit_is_an_outage(db: Database, admin: Admin) -> None:
    error = await failure(working(db, lambda tx: tx.fetch("SELECT 1"), lambda _: admin.kill_connections()))
    assert is_outage(error), repr(error)


async def test_a_database_that_refuses_connections_is_an_outage(db: Database, admin: Admin) -> None:
    async with admin.away():
        error = await failure(working(db))
    assert is_outage(error), repr(error)


async def test_a_server_that_is_not_there_is_an_outage(settings: Settings) -> None:
    address = SecretStr("postgresql://nobody:x@127.0.0.1:9/nothing")
    async with database(settings.model_copy(update={"database_url": address}), "probe") as db:
        error = await failure(working(db))
    assert is_outage(error), repr(error)


async def test_a_deadlock_is_an_outage_since_another_try_heals_it(db: Database) -> None:
    deadlock = text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$")
    error = await failure(working(db, lambda tx: tx.execute(deadlock)))
    assert is_outage(error), repr(error)
