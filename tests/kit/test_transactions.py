"""What does a transaction promise? All or nothing, events too, and a usable pool whatever happens to the body."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
from sqlalchemy import text

from libs.kit.db import Database, Tx, database
from libs.kit.ids import uuid7
from libs.kit.outages import is_outage
from libs.kit.settings import Settings
from libs.schema.event import Cause
from tests.kit.builders import a_bar
from tests.kit.probe import Admin, Counter, count_up
from tests.kit.test_outages import failure
from tests.world import eventually

TENANT = uuid7()


@pytest.fixture
async def narrow(settings: Settings) -> AsyncIterator[Database]:
    """A database with one connection a pool, which a test must leave usable."""
    async with database(settings.model_copy(update={"database_pool_size": 1}), "probe") as db:
        yield db
        for transaction in (db.transaction(TENANT), db.work()):
            async with transaction as tx:
                await tx.fetch("SELECT 1")


async def counting(db: Database, then: Callable[[Tx], Awaitable[object]]) -> None:
    """Count one up and do something more in the same transaction."""
    async with db.transaction(TENANT) as tx:
        await count_up(tx, TENANT, "clicks")
        await then(tx)


async def rows(admin: Admin, table: str) -> int:
    return int((await admin.fetch(f"SELECT count(*) FROM probe.{table}"))[0][0])


async def open_transactions(admin: Admin) -> int:
    found = await admin.fetch("""
        SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND application_name LIKE 'fillstream-probe-%' AND state <> 'idle'""")
    return int(found[0][0])


async def test_state_and_events_are_written_together(narrow: Database, admin: Admin) -> None:
    cause = Cause(uuid7(), uuid7(), "00-trace")
    async with narrow.transaction(TENANT, cause) as tx:
        counter = await count_up(tx, TENANT, "clicks")
        await count_up(tx, TENANT, "clicks")

    stored = await admin.fetch("SELECT value, version FROM probe.counter")
    events = await admin.fetch("SELECT * FROM probe.outbox ORDER BY id")
    assert [tuple(row) for row in stored] == [(2, 2)]
    assert [(e["sequence"], e["subject"], e["tenant_id"]) for e in events] == [
        (1, counter.id, TENANT),
        (2, counter.id, TENANT),
    ]
    assert {(e["correlation_id"], e["causation_id"], e["traceparent"]) for e in events} == {
        (cause.correlation_id, cause.causation_id, "00-trace")
    }


async def test_a_failed_transaction_publishes_nothing(narrow: Database, admin: Admin) -> None:
    async def fail(_tx: Tx) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await counting(narrow, fail)

    assert (await rows(admin, "counter"), await rows(admin, "outbox")) == (0, 0)


async def test_when_its_events_cannot_be_written_the_state_is_not_either(narrow: Database, admin: Admin) -> None:
    async def publish_for_another(tx: Tx) -> None:
        tx.publish(Counter(id=uuid7(), tenant_id=uuid7(), name="x", value=0, version=0), a_bar())

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await counting(narrow, publish_for_another)

    assert (await rows(admin, "counter"), await rows(admin, "outbox")) == (0, 0)


async def test_a_statement_that_fails_leaves_nothing(narrow: Database, admin: Admin) -> None:
    with pytest.raises(asyncpg.UndefinedTableError):
        await counting(narrow, lambda tx: tx.fetch("SELECT * FROM nowhere"))

    assert (await rows(admin, "counter"), await rows(admin, "outbox")) == (0, 0)


@pytest.mark.parametrize("statement", ["asyncpg", "sqlalchemy"])
async def test_a_cancellation_in_a_statement_leaves_no_open_transaction(
    narrow: Database, admin: Admin, statement: str
) -> None:
    async def body() -> None:
        async with narrow.transaction(TENANT) as tx:
            await count_up(tx, TENANT, "clicks")
            await tx.flush()
            started.set()
            await (
                tx.fetch("SELECT pg_sleep(30)") if statement == "asyncpg" else tx.execute(text("SELECT pg_sleep(30)"))
            )

    started = asyncio.Event()
    task = asyncio.create_task(body())
    await started.wait()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await rows(admin, "counter") == 0
    assert await open_transactions(admin) == 0


async def test_a_cancellation_between_statements_leaves_no_open_transaction(narrow: Database, admin: Admin) -> None:
    async def body() -> None:
        async with narrow.transaction(TENANT) as tx:
            await count_up(tx, TENANT, "clicks")
            started.set()
            await asyncio.Event().wait()

    started = asyncio.Event()
    task = asyncio.create_task(body())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await rows(admin, "counter") == 0
    assert await open_transactions(admin) == 0


async def test_a_cancellation_during_the_commit_lets_it_end(narrow: Database, admin: Admin) -> None:
    await admin.fetch("CREATE SEQUENCE probe.gate")
    await admin.fetch("""
        CREATE FUNCTION probe.dawdle() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
        'BEGIN WHILE NOT (SELECT is_called FROM probe.gate) LOOP PERFORM pg_sleep(0.01); END LOOP; RETURN NULL; END'
    """)
    await admin.fetch("""
        CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON probe.counter DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION probe.dawdle()""")

    async def body() -> None:
        async with narrow.transaction(TENANT) as tx:
            await count_up(tx, TENANT, "clicks")

    async def committing() -> None:
        found = await admin.fetch(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query = 'COMMIT' AND state = 'active'"
        )
        assert found

    try:
        task = asyncio.create_task(body())
        await eventually(committing)
        task.cancel()
        await asyncio.sleep(0)
        await admin.fetch("SELECT nextval('probe.gate')")
        await asyncio.gather(task, return_exceptions=True)
    finally:
        await admin.fetch("DROP FUNCTION probe.dawdle CASCADE")
        await admin.fetch("DROP SEQUENCE probe.gate")

    assert task.cancelled() or task.exception() is None, repr(task.exception())
    assert await open_transactions(admin) == 0
    assert (await rows(admin, "counter"), await rows(admin, "outbox")) == (1, 1)


async def test_a_killed_connection_fails_one_transaction_and_not_the_next(narrow: Database, admin: Admin) -> None:
    async def lose(tx: Tx) -> None:
        await admin.kill_connections()
        await tx.fetch("SELECT 1")

    error = await failure(counting(narrow, lose))

    assert is_outage(error)
    assert await rows(admin, "counter") == 0


async def test_an_event_larger_than_a_topic_takes_is_refused_at_once(narrow: Database, admin: Admin) -> None:
    counter = Counter(id=uuid7(), tenant_id=TENANT, name="x" * 400_000, value=0, version=0)
    wide = Counter(id=uuid7(), tenant_id=TENANT, name="€" * 400_000, value=0, version=0)
    async with narrow.transaction(TENANT) as tx:
        tx.publish(counter, *counter.count(tx.now))
    with pytest.raises(ValueError, match="bytes"):
        async with narrow.transaction(TENANT) as tx:
            tx.publish(wide, *wide.count(tx.now))

    assert await rows(admin, "outbox") == 1


async def test_what_belongs_to_everybody_is_published_without_a_tenant(narrow: Database, admin: Admin) -> None:
    class Series:
        id, version, tenant = uuid7(), 0, None

    async with narrow.public() as tx:
        tx.publish(Series(), a_bar(day=1), a_bar(day=2))

    events = await admin.fetch("SELECT tenant_id, sequence, key FROM probe.outbox ORDER BY id")
    assert [tuple(event) for event in events] == [(None, 1, "AAPL"), (None, 2, "AAPL")]
