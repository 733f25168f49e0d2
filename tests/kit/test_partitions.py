"""How do the logs stay small? Partitions come before they are needed and go as a whole, and no row is ever lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from libs.kit.connections import async_url
from libs.kit.db import Database
from libs.kit.ids import uuid7, uuid7_floor
from libs.kit.inbox import Inbox
from libs.kit.partitions import Maintained, maintain_partitions
from libs.kit.settings import Settings
from tests.kit.builders import a_bar
from tests.kit.probe import Admin, Faults, handlers
from tests.kit.test_inbox import a_row, delivered

RETENTION = 400


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    opened = create_async_engine(async_url(settings.database_url.get_secret_value()))
    yield opened
    await opened.dispose()


async def maintained(engine: AsyncEngine, now: datetime) -> Maintained:
    return await maintain_partitions(engine, "probe", RETENTION, now)


async def partitions(admin: Admin, table: str) -> set[str]:
    rows = await admin.fetch(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = $1::text::regclass", f"probe.{table}"
    )
    return {row[0].removeprefix(f"probe.{table}_") for row in rows}


def an_id(at: datetime) -> UUID:
    return UUID(int=uuid7_floor(at).int + uuid7().int % 2**80)


async def note(admin: Admin, *ids: UUID) -> None:
    for event_id in ids:
        await admin.fetch("INSERT INTO probe.inbox (event_id, type) VALUES ($1, 'x')", event_id)


async def where(admin: Admin) -> dict[UUID, str]:
    rows = await admin.fetch("SELECT event_id, tableoid::regclass::text FROM probe.inbox")
    return {row[0]: row[1].removeprefix("probe.inbox_") for row in rows}


async def test_events_of_today_land_in_the_partition_of_their_month(db: Database, admin: Admin, faults: Faults) -> None:
    await Inbox(db, handlers(faults)).take([delivered(a_row(a_bar(day=n), n + 1)) for n in range(10)])

    assert set((await where(admin)).values()) == {f"{datetime.now(UTC):%Y_%m}"}


async def test_this_months_and_the_coming_partitions_are_made_once(engine: AsyncEngine, admin: Admin) -> None:
    now = datetime(2031, 11, 30, 23, 59, 59, tzinfo=UTC)
    first, second = await maintained(engine, now), await maintained(engine, now)

    coming = {"2031_11", "2031_12", "2032_01", "2032_02"}
    for table in ("inbox", "event_log"):
        assert coming <= await partitions(admin, table)
    assert {name for name in first.created if "inbox" in name} == {f"probe.inbox_{month}" for month in coming}
    assert (second.created, second.dropped) == ((), ())


async def test_partitions_meet_without_a_gap(engine: AsyncEngine, admin: Admin) -> None:
    now = datetime(2033, 12, 15, tzinfo=UTC)
    await maintained(engine, now)
    border = datetime(2034, 1, 1, tzinfo=UTC)
    last, first = UUID(int=uuid7_floor(border).int - 1), uuid7_floor(border)
    await note(admin, last, first)

    found = await where(admin)
    assert (found[last], found[first]) == ("2033_12", "2034_01")


async def test_a_partition_is_dropped_when_its_last_event_is_older_than_the_retention(
    engine: AsyncEngine, admin: Admin
) -> None:
    old = datetime(2035, 1, 10, tzinfo=UTC)
    await maintained(engine, old)
    end = datetime(2035, 2, 1, tzinfo=UTC)

    before = await maintained(engine, end + timedelta(days=RETENTION, seconds=-1))
    assert "2035_01" in await partitions(admin, "inbox")
    after = await maintained(engine, end + timedelta(days=RETENTION))

    assert "probe.inbox_2035_01" not in before.dropped
    assert {"probe.inbox_2035_01", "probe.event_log_2035_01"} <= set(after.dropped)
    assert "2035_01" not in await partitions(admin, "inbox")
    assert "default" in await partitions(admin, "inbox")


async def test_a_dropped_partition_takes_its_rows_with_it_and_no_others(engine: AsyncEngine, admin: Admin) -> None:
    await maintained(engine, datetime(2037, 1, 10, tzinfo=UTC))
    old, young = an_id(datetime(2037, 1, 20, tzinfo=UTC)), an_id(datetime(2037, 4, 20, tzinfo=UTC))
    await note(admin, old, young)

    await maintained(engine, datetime(2037, 2, 1, tzinfo=UTC) + timedelta(days=RETENTION))

    assert set(await where(admin)) == {young}


async def test_events_of_a_month_that_was_not_prepared_are_kept_and_moved_later(
    engine: AsyncEngine, admin: Admin
) -> None:
    """Nobody ran the maintenance for long: rows fell into the default partition, which would refuse the new one."""
    now = datetime(2041, 5, 10, tzinfo=UTC)
    early, other = an_id(now), an_id(datetime(2051, 1, 1, tzinfo=UTC))
    await note(admin, early, other)
    assert set((await where(admin)).values()) == {"default"}

    await maintained(engine, now)

    assert await where(admin) == {early: "2041_05", other: "default"}


async def test_the_log_of_a_month_that_was_not_prepared_is_moved_with_its_tenants(
    engine: AsyncEngine, admin: Admin
) -> None:
    now = datetime(2043, 5, 10, tzinfo=UTC)
    await admin.fetch(
        "INSERT INTO probe.event_log SELECT $1, 't', 'k', 'x', $2, $2, 1, now(), now(), $2, NULL, NULL, '{}'",
        an_id(now),
        uuid7(),
    )
    await maintained(engine, now)

    rows = await admin.fetch("SELECT tableoid::regclass::text FROM probe.event_log")
    assert [row[0] for row in rows] == ["probe.event_log_2043_05"]
    forced = await admin.fetch(
        "SELECT bool_and(relrowsecurity AND relforcerowsecurity) FROM pg_class "
        "WHERE relnamespace = 'probe'::regnamespace AND relname LIKE 'event_log%' AND relkind IN ('r', 'p')"
    )
    assert forced[0][0] is True


async def test_the_context_can_read_its_log_after_maintenance(db: Database, engine: AsyncEngine, admin: Admin) -> None:
    now = datetime(2045, 5, 10, tzinfo=UTC)
    tenant = uuid7()
    await admin.fetch(
        "INSERT INTO probe.event_log SELECT $1, 't', 'k', 'x', $2, $2, 1, now(), now(), $2, NULL, NULL, '{}'",
        an_id(now),
        tenant,
    )
    await maintained(engine, now)

    async with db.transaction(tenant) as tx:
        assert len(await tx.fetch("SELECT 1 FROM event_log")) == 1
    async with db.transaction(uuid7()) as tx:
        assert await tx.fetch("SELECT 1 FROM event_log") == []
