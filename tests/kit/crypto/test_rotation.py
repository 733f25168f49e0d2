"""Do keys become new while everything goes on? Nothing is lost, nothing stays under an old key, and a kill changes nothing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

import pytest
from sqlalchemy import Column, LargeBinary, MetaData, Table, Text, Uuid, select

from libs.kit.crypto import rotation as rotation_module
from libs.kit.crypto.encryption import Encryption, encryption
from libs.kit.crypto.key_encryption import Unwrappable
from libs.kit.crypto.keyring import Keyring, Unsealable
from libs.kit.crypto.places import Place, Unmarkable, sealed_tables
from libs.kit.crypto.rotation import Rotation
from libs.kit.db import Database, Tx
from libs.kit.ids import uuid7
from libs.kit.settings import Settings
from tests.kit.probe import Admin, Base, Secret
from tests.kit.test_kills import killed
from tests.world import eventually, until_blocked

BATCH = 50


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation_module, "BATCH_ROWS", BATCH)


@pytest.fixture
async def rotation(db: Database, safe: Encryption) -> Rotation:
    return Rotation(db, safe, Base.metadata)


def a_secret(ring: Keyring, number: int) -> Secret:
    """A row whose sealed words say its number, so that anybody can tell what they should be."""
    row = uuid7()
    return Secret(
        id=row,
        tenant_id=ring.tenant_id,
        number=number,
        word=ring.seal(b"%d" % number, Place("secret", "word", row)),
        hint=ring.seal(b"hint %d" % number, Place("secret", "hint", row)) if number % 2 else None,
    )


async def hide(db: Database, safe: Encryption, tenant: UUID, count: int) -> None:
    """Let a workspace have some secrets."""
    async with db.transaction(tenant) as tx:
        ring = await safe.keyring(tx, tenant)
        tx.add(*(a_secret(ring, number) for number in range(count)))


async def check(db: Database, safe: Encryption, tenant: UUID) -> int:
    """Open every secret of a workspace and compare it; how many there are."""
    async with db.transaction(tenant) as tx:
        ring = await safe.keyring(tx, tenant)
        rows = await tx.scalars(select(Secret))
        for row in rows:
            assert ring.open(row.word, Place("secret", "word", row.id)) == b"%d" % row.number
            if row.hint is not None:
                assert ring.open(row.hint, Place("secret", "hint", row.id)) == b"hint %d" % row.number
        return len(rows)


async def sealing_keys(admin: Admin, tenant: UUID) -> set[bytes]:
    """The data keys that a workspace's secrets are sealed with."""
    rows = await admin.fetch(
        "SELECT substring(word FROM 2 FOR 16) FROM probe.secret WHERE tenant_id = $1 "
        "UNION SELECT substring(hint FROM 2 FOR 16) FROM probe.secret WHERE tenant_id = $1 AND hint IS NOT NULL",
        tenant,
    )
    return {row[0] for row in rows}


async def kept_keys(admin: Admin, tenant: UUID) -> set[bytes]:
    """The data keys that a workspace has."""
    rows = await admin.fetch("SELECT id FROM probe.data_key WHERE tenant_id = $1", tenant)
    return {row[0].bytes for row in rows}


async def resealed(admin: Admin, tenant: UUID, count: int) -> None:
    """So many of a workspace's secrets are sealed with its newest key."""
    found = await admin.fetch(
        "SELECT FROM probe.secret JOIN probe.data_key USING (tenant_id) WHERE tenant_id = $1 AND retired_at IS NULL "
        "AND substring(word FROM 2 FOR 16) = uuid_send(data_key.id)",
        tenant,
    )
    assert len(found) == count


def no_step(_count: int) -> None:
    """Nobody looks on."""


async def renew(rotation: Rotation, tenant: UUID, step: Callable[[int], None] = no_step) -> None:
    await rotation.renew(tenant, rotation.db.clock(), step)


async def test_a_rotation_seals_everything_anew_and_destroys_the_old_key(
    db: Database, safe: Encryption, rotation: Rotation, tenant: UUID, admin: Admin
) -> None:
    await hide(db, safe, tenant, 3 * BATCH + 7)
    [before] = await kept_keys(admin, tenant)
    steps: list[int] = []
    await renew(rotation, tenant, steps.append)
    [after] = await kept_keys(admin, tenant)
    assert before != after
    assert await sealing_keys(admin, tenant) == {after}
    assert await check(db, safe, tenant) == sum(steps) == 3 * BATCH + 7


async def test_a_rotation_leaves_other_workspaces_alone(
    db: Database, safe: Encryption, rotation: Rotation, tenant: UUID, neighbour: UUID, admin: Admin
) -> None:
    await hide(db, safe, tenant, 3)
    await hide(db, safe, neighbour, 3)
    before = await kept_keys(admin, neighbour)
    await renew(rotation, tenant)
    assert await kept_keys(admin, neighbour) == before == await sealing_keys(admin, neighbour)


async def test_a_rotation_loses_nothing_while_others_write_and_read(
    db: Database, safe: Encryption, settings: Settings, rotation: Rotation, tenant: UUID, admin: Admin
) -> None:
    await hide(db, safe, tenant, 6 * BATCH)
    done = asyncio.Event()
    async with encryption(settings) as replica:
        writers = [asyncio.create_task(_write(db, replica, tenant, seed, done)) for seed in range(3)]
        reader = asyncio.create_task(_read(db, replica, tenant, done))
        for _ in range(3):
            await renew(rotation, tenant)
        done.set()
        added = sum(await asyncio.gather(*writers))
        assert await reader > 0
        assert added > 0
        assert await check(db, replica, tenant) == 6 * BATCH + added
    assert await sealing_keys(admin, tenant) == await kept_keys(admin, tenant)


async def _write(db: Database, safe: Encryption, tenant: UUID, seed: int, done: asyncio.Event) -> int:
    """Change rows and add rows until it is enough; how many were added."""
    chance, added = random.Random(seed), 0
    while not done.is_set():
        async with db.transaction(tenant) as tx:
            ring = await safe.keyring(tx, tenant)
            await _change_some(tx, ring, chance)
            tx.add(a_secret(ring, 1_000_000 * seed + added))
        added += 1
    return added


async def _change_some(tx: Tx, ring: Keyring, chance: random.Random) -> None:
    statement = select(Secret).where(Secret.number % 17 == chance.randrange(17)).order_by(Secret.id)
    for row in await tx.scalars(statement.with_for_update().limit(5)):
        row.number += 1
        row.word = ring.seal(b"%d" % row.number, Place("secret", "word", row.id))
        row.hint = None


async def _read(db: Database, safe: Encryption, tenant: UUID, done: asyncio.Event) -> int:
    rounds = 0
    while not done.is_set():
        await check(db, safe, tenant)
        rounds += 1
    return rounds


class Killed(Exception):
    """The process dies here."""


@pytest.mark.parametrize("after", range(5))
async def test_a_rotation_that_was_killed_goes_on_where_it_was(
    db: Database, safe: Encryption, rotation: Rotation, tenant: UUID, admin: Admin, after: int
) -> None:
    await hide(db, safe, tenant, 3 * BATCH)
    before, steps = db.clock(), iter(range(after))

    def step(_count: int) -> None:
        if next(steps, None) is None:
            raise Killed

    with suppress(Killed):
        await rotation.renew(tenant, before, step)
    assert await check(db, safe, tenant) == 3 * BATCH
    left = len(await kept_keys(admin, tenant))
    await rotation.renew(tenant, before, no_step)
    assert left <= 2
    assert await sealing_keys(admin, tenant) == await kept_keys(admin, tenant)
    assert len(await kept_keys(admin, tenant)) == 1
    assert await check(db, safe, tenant) == 3 * BATCH


async def test_a_process_that_dies_while_it_rotates_leaves_nothing_unreadable_and_nothing_to_repair(
    db: Database, safe: Encryption, settings: Settings, rotation: Rotation, tenant: UUID, admin: Admin
) -> None:
    await hide(db, safe, tenant, 1_600)
    await killed("dying-rotation", settings)
    assert len(await sealing_keys(admin, tenant)) == 2
    assert await check(db, safe, tenant) == 1_600
    await renew(rotation, tenant)
    assert await sealing_keys(admin, tenant) == await kept_keys(admin, tenant)
    assert await check(db, safe, tenant) == 1_600


async def test_a_rotation_that_is_run_again_makes_no_second_key(
    db: Database, safe: Encryption, rotation: Rotation, tenant: UUID, admin: Admin
) -> None:
    await hide(db, safe, tenant, 2)
    before = db.clock()
    await rotation.renew(tenant, before, no_step)
    made = await kept_keys(admin, tenant)
    await rotation.renew(tenant, before, no_step)
    assert await kept_keys(admin, tenant) == made


async def test_the_old_key_stays_as_long_as_somebody_may_still_write_with_it(
    db: Database, safe: Encryption, rotation: Rotation, tenant: UUID, admin: Admin
) -> None:
    await hide(db, safe, tenant, 2)
    async with db.transaction(tenant) as tx:
        ring = await safe.keyring(tx, tenant)
        rotating = asyncio.create_task(renew(rotation, tenant))
        await until_blocked(admin.fetch)
        tx.add(a_secret(ring, 2))
        await tx.flush()
        assert not rotating.done()
    await rotating
    assert await check(db, safe, tenant) == 3


async def test_the_old_key_stays_as_long_as_a_locked_row_is_sealed_with_it(
    db: Database, safe: Encryption, rotation: Rotation, tenant: UUID, admin: Admin
) -> None:
    await hide(db, safe, tenant, 3)
    async with db.transaction(tenant) as tx:
        await tx.scalar(select(Secret).order_by(Secret.id).limit(1).with_for_update())
        rotating = asyncio.create_task(renew(rotation, tenant))
        # Rows that nobody has locked do not wait for the one that somebody has.
        await eventually(lambda: resealed(admin, tenant, 2))
        await asyncio.wait({rotating}, timeout=0.3)
        assert not rotating.done()
        assert len(await kept_keys(admin, tenant)) == 2
    await rotating
    assert await check(db, safe, tenant) == 3
    assert len(await kept_keys(admin, tenant)) == 1


async def test_a_damaged_value_stops_the_rotation_and_keeps_the_old_key(
    db: Database, safe: Encryption, rotation: Rotation, tenant: UUID, admin: Admin
) -> None:
    await hide(db, safe, tenant, 3)
    await admin.fetch("UPDATE probe.secret SET word = set_byte(word, 40, 255 - get_byte(word, 40)) WHERE number = 1")
    with pytest.raises(Unsealable, match=r"secret\.word of"):
        await renew(rotation, tenant)
    assert len(await kept_keys(admin, tenant)) == 2


async def test_a_rotation_wakes_no_shredded_workspace(
    db: Database, safe: Encryption, rotation: Rotation, tenant: UUID, admin: Admin
) -> None:
    await hide(db, safe, tenant, 2)
    async with db.work() as tx:
        await safe.shred(tx, tenant)
    await renew(rotation, tenant)
    assert not await kept_keys(admin, tenant)


async def test_what_was_shredded_stays_as_it_is_and_what_was_sealed_afterwards_is_sealed_anew(
    db: Database, safe: Encryption, rotation: Rotation, tenant: UUID, admin: Admin
) -> None:
    await hide(db, safe, tenant, 5)
    shredded = await sealing_keys(admin, tenant)
    async with db.work() as tx:
        await safe.shred(tx, tenant)
    assert await rotation.renew(tenant, db.clock(), no_step) == 5
    await hide(db, safe, tenant, 3)
    before = await kept_keys(admin, tenant)
    # A row of which one word was sealed before, and the other one afterwards.
    await admin.fetch(
        "UPDATE probe.secret SET word = (SELECT word FROM probe.secret WHERE substring(word FROM 2 FOR 16) = $1 LIMIT 1) "
        "WHERE number = 1 AND substring(word FROM 2 FOR 16) <> $1",
        *shredded,
    )

    lost = await rotation.renew(tenant, db.clock(), no_step)

    [after] = await kept_keys(admin, tenant)
    assert lost == 6
    assert after not in before
    assert await sealing_keys(admin, tenant) == shredded | {after}


async def test_a_damaged_data_key_keeps_no_other_from_being_wrapped_anew(
    db: Database, safe: Encryption, rotation: Rotation, tenant: UUID, neighbour: UUID, admin: Admin
) -> None:
    first, second = sorted((tenant, neighbour))
    for one in (first, second):
        await hide(db, safe, one, 2)
    await damage(admin, first)
    newest = await safe.guard.renew()

    [failure] = await rotation.rewrap(no_step)

    assert failure.tenant_id == first
    assert [
        row[0] for row in await admin.fetch("SELECT tenant_id FROM probe.data_key WHERE wrapped_by = $1", newest)
    ] == [second]


async def test_a_workspace_whose_key_is_damaged_gets_no_new_one(
    db: Database, settings: Settings, safe: Encryption, tenant: UUID, admin: Admin
) -> None:
    await hide(db, safe, tenant, 2)
    await damage(admin, tenant)
    before = await kept_keys(admin, tenant)

    async with encryption(settings) as fresh:
        with pytest.raises(Unwrappable):
            await renew(Rotation(db, fresh, Base.metadata), tenant)

    assert await kept_keys(admin, tenant) == before


async def damage(admin: Admin, tenant: UUID) -> None:
    """Let a workspace's data key not open any more."""
    await admin.fetch(
        "UPDATE probe.data_key SET wrapped_key = set_byte(wrapped_key, 30, 255 - get_byte(wrapped_key, 30)) "
        "WHERE tenant_id = $1",
        tenant,
    )


async def test_every_data_key_is_wrapped_by_the_new_key_and_opens_still(
    db: Database, safe: Encryption, settings: Settings, rotation: Rotation, tenant: UUID, neighbour: UUID, admin: Admin
) -> None:
    for one in (tenant, neighbour):
        await hide(db, safe, one, 2)
    newest = await safe.guard.renew()
    steps: list[int] = []
    await rotation.rewrap(steps.append)
    assert sum(steps) == await rotation.count_keys() == 2
    assert {row[0] for row in await admin.fetch("SELECT wrapped_by FROM probe.data_key")} == {newest}
    async with encryption(settings) as replica:
        assert await check(db, replica, tenant) == await check(db, replica, neighbour) == 2


async def test_what_is_running_opens_and_makes_data_keys_while_they_are_wrapped_anew(
    db: Database, safe: Encryption, settings: Settings, rotation: Rotation, tenant: UUID, neighbour: UUID
) -> None:
    async with encryption(settings) as replica:
        await hide(db, replica, tenant, 2)
        await safe.guard.renew()
        await rotation.rewrap(no_step)
        await hide(db, replica, neighbour, 2)
        assert await check(db, replica, tenant) == await check(db, safe, neighbour) == 2


def test_sealed_columns_are_found_by_their_type() -> None:
    [table] = sealed_tables(Base.metadata)
    assert (table.name, table.row, table.columns) == ("secret", "id", ("word", "hint"))


@pytest.mark.parametrize("missing", ["tenant_id", "row"])
def test_a_table_whose_rows_can_not_be_told_apart_can_have_no_sealed_column(missing: str) -> None:
    metadata = MetaData(schema="x")
    columns = [
        Column("tenant_id" if missing != "tenant_id" else "owner", Uuid),
        Column("row", Uuid if missing != "row" else Text, primary_key=True),
    ]
    Table("t", metadata, *columns, Column("secret", LargeBinary, info={"sealed": True}))
    with pytest.raises(Unmarkable, match=r"x\.t"):
        sealed_tables(metadata)
