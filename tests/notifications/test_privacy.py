"""Whoever was erased is told nothing any more, however late it comes, and whoever asks is told all that is kept of them."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kit.ids import uuid7
from libs.kit.maintenance import maintain
from libs.kit.outbox import MAX_EVENT_BYTES
from libs.kit.personal_data.erased import erase_alone, erased_among, remember
from libs.kit.personal_data.parcels import PART_BYTES, KeyPair, Label, ParcelDamaged
from libs.schema.event import Envelope
from libs.schema.privacy import (
    DataExportAnswered,
    DataExportPart,
    DataExportRequested,
    HeldRows,
    PersonalDataErased,
    UserErased,
)
from tests.notifications.builders import WHEN, a_fill, a_registration
from tests.world import Running, World, eventually

KEYS = KeyPair.generate()
LABELS = st.builds(
    Label, st.uuids(), st.sampled_from(["auth", "orders"]), st.integers(1, 9), st.sampled_from(["fill", "order"])
)


@pytest.fixture
async def running(world: World) -> AsyncIterator[Running]:
    async with world.running("notifications") as running:
        yield running


def a_farewell(workspace_id: UUID) -> UserErased:
    return UserErased(
        occurred_at=WHEN, erasure_id=uuid7(), user_id=uuid7(), workspace_id=workspace_id, workspace_ids=(workspace_id,)
    )


async def told(world: World) -> list[UUID]:
    """The workspaces that have notifications."""
    rows = await world.fetch("SELECT DISTINCT tenant_id FROM notifications.notification ORDER BY tenant_id")
    return [row[0] for row in rows]


async def test_what_comes_after_an_erasure_is_told_to_nobody(world: World, running: Running) -> None:
    ada, bob = uuid7(), uuid7()
    for one in (ada, bob):
        await world.publish(a_registration(one), tenant_id=one)
    await world.settled("notifications")
    assert await told(world) == sorted([ada, bob])

    await world.publish(a_farewell(ada), tenant_id=ada)
    await world.settled("notifications")
    for one in (ada, bob):
        await world.publish(a_fill(), tenant_id=one)
    await world.settled("notifications")

    assert await told(world) == [bob]
    assert [row[0] for row in await world.fetch("SELECT count(*) FROM notifications.notification")] == [2]
    [answer] = await world.expect(PersonalDataErased, 1)
    assert set(answer.event.erased) == {
        HeldRows(table="notification", rows=1), HeldRows(table="feed", rows=1), HeldRows(table="mail", rows=0),
        HeldRows(table="idempotency_key", rows=0),
    }  # fmt: skip
    assert {(kept.table, kept.rows) for kept in answer.event.kept} == {("event_log", None), ("dead_letter", None)}


async def test_a_redelivered_erasure_is_answered_once(world: World, running: Running) -> None:
    row = world.envelope(a_farewell(uuid7()), tenant_id=uuid7())
    await world.send(row, row)
    await world.send(row)
    await world.settled("notifications")
    await world.expect(PersonalDataErased, 1)


async def a_letter(world: World, workspace_id: UUID, *, resolved_days_ago: int | None) -> UUID:
    """A dead letter about a workspace, as the consumer buries them."""
    id_ = uuid7()
    headers = [["ce_id", "eA=="], ["ce_tenantid", base64.b64encode(str(workspace_id).encode()).decode()]]
    await world.fetch(
        'INSERT INTO notifications.dead_letter (id, topic, partition, "offset", headers, value, state, error, attempts, '
        "resolved_at) VALUES ($1, 'orders.v1', 0, $2, $3::text::jsonb, 'words', 'discarded', 'words', 1, "
        "now() - make_interval(days => $4::int))",
        id_, id_.int % 2**62, json.dumps(headers), resolved_days_ago,
    )  # fmt: skip
    return id_


async def silent(world: World) -> set[UUID]:
    """The letters that say nothing any more."""
    return {row[0] for row in await world.fetch("SELECT id FROM notifications.dead_letter WHERE value IS NULL")}


async def test_dead_letters_of_the_erased_are_emptied_once_they_are_resolved(world: World, running: Running) -> None:
    ada, bob = uuid7(), uuid7()
    resolved = await a_letter(world, ada, resolved_days_ago=0)
    await a_letter(world, ada, resolved_days_ago=None)
    await a_letter(world, bob, resolved_days_ago=0)

    await world.publish(a_farewell(ada), tenant_id=ada)
    await world.expect(PersonalDataErased, 1)

    assert await silent(world) == {resolved}


async def test_dead_letters_are_emptied_when_they_were_resolved_long_ago(world: World) -> None:
    old = await a_letter(world, uuid7(), resolved_days_ago=401)
    await a_letter(world, uuid7(), resolved_days_ago=399)
    await a_letter(world, uuid7(), resolved_days_ago=None)

    done = await maintain(world.settings.database_url.get_secret_value(), ["notifications"], 400)

    assert await silent(world) == {old}
    assert "forgot what 1 dead letters of notifications said" in done


async def test_an_erasure_waits_for_whoever_was_let_through_before_it(world: World, running: Running) -> None:
    ada, erasure_id = uuid7(), uuid7()

    async def erase() -> None:
        async with running.db.work() as tx:
            await erase_alone(tx)
            await remember(tx, [ada], erasure_id)

    async def waits() -> None:
        rows = await world.fetch("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        assert len(rows) == 1

    async with running.db.work() as tx:
        assert await erased_among(tx, [ada]) == frozenset()
        erasing = asyncio.create_task(erase())
        await eventually(waits)
        assert not erasing.done()
    await erasing
    async with running.db.work() as tx:
        assert await erased_among(tx, [ada, uuid7()]) == {ada}


async def test_a_table_of_many_parts_is_put_together_again(world: World, running: Running) -> None:
    ada = uuid7()
    await world.publish(a_registration(ada), tenant_id=ada)
    await world.settled("notifications")
    long = "ü" * 2_000
    await world.fetch(
        "INSERT INTO notifications.notification (id, tenant_id, event_id, position, title, message, notification_type, "
        "priority, is_read, delivery_methods, delivered_at, metadata, occurred_at, version) "
        "SELECT gen_random_uuid(), tenant_id, gen_random_uuid(), n, title, $1, notification_type, priority, is_read, "
        "delivery_methods, delivered_at, metadata, occurred_at, version "
        "FROM notifications.notification, generate_series(2, 400) AS n", long,
    )  # fmt: skip
    asked = DataExportRequested(
        occurred_at=WHEN, export_id=uuid7(), user_id=uuid7(), workspace_id=ada, workspace_ids=(ada,),
        public_key=KEYS.public,
    )  # fmt: skip

    await world.publish(asked, tenant_id=ada)
    [answer] = await world.expect(DataExportAnswered, 1)
    parts = await world.expect(DataExportPart, answer.event.parts)

    text = _opened(parts, "notification")
    assert len(text) > 2 * PART_BYTES
    rows = [json.loads(line) for line in text.splitlines()]
    assert {row["position"]: row["message"] for row in rows if row["position"] > 1} == dict.fromkeys(
        range(2, 401), long
    )
    assert HeldRows(table="notification", rows=400) in answer.event.tables


def _opened(parts: Sequence[Envelope[DataExportPart]], table: str) -> bytes:
    told = sorted((part.event for part in parts if part.event.table == table), key=lambda part: part.number)
    labels = [Label(part.export_id, part.context, part.number, part.table) for part in told]
    return b"".join(
        label.open(base64.b64decode(part.sealed), KEYS.private) for label, part in zip(labels, told, strict=True)
    )


@given(LABELS, LABELS, st.binary(max_size=2_000))
def test_a_part_opens_as_what_it_was_sealed_and_as_nothing_else(label: Label, other: Label, plain: bytes) -> None:
    sealed = base64.b64decode(label.seal(plain, KEYS.public))
    assert label.open(sealed, KEYS.private) == plain
    if other != label:
        with pytest.raises(ParcelDamaged):
            other.open(sealed, KEYS.private)
    with pytest.raises(ParcelDamaged):
        label.open(sealed, KeyPair.generate().private)


def test_a_full_part_fits_into_an_event_even_if_nothing_can_be_compressed() -> None:
    random = b"".join(uuid7().bytes[8:] for _ in range(PART_BYTES // 8))
    assert len(Label(uuid7(), "notifications", 1, "notification").seal(random, KEYS.public)) < MAX_EVENT_BYTES - 10_000
