"""Whose data keys are whose? Each workspace has its own, made once, and destroyed for good."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg
import pytest

from libs.kit.crypto.encryption import CACHE_SECONDS, Encryption, encryption
from libs.kit.crypto.key_encryption import Binding, KeyEncryption, KeyRefused, Unwrappable, WrappedKey
from libs.kit.crypto.keyring import Unsealable
from libs.kit.crypto.places import Place
from libs.kit.db import Database
from libs.kit.ids import uuid7
from libs.kit.settings import Settings
from tests.kit.probe import Admin
from tests.world import until_blocked

PLACE = Place("secret", "word", uuid7())


async def seal(db: Database, safe: Encryption, tenant: UUID) -> bytes:
    async with db.transaction(tenant) as tx:
        return (await safe.keyring(tx, tenant)).seal(b"hush", PLACE)


async def open_(db: Database, safe: Encryption, tenant: UUID, sealed: bytes) -> bytes:
    async with db.transaction(tenant) as tx:
        return (await safe.keyring(tx, tenant)).open(sealed, PLACE)


async def test_what_one_process_seals_another_opens(
    db: Database, safe: Encryption, settings: Settings, tenant: UUID
) -> None:
    sealed = await seal(db, safe, tenant)
    async with encryption(settings) as other:
        assert await open_(db, other, tenant, sealed) == b"hush"


async def test_of_many_first_transactions_one_makes_the_key(
    db: Database, settings: Settings, tenant: UUID, admin: Admin
) -> None:
    async def first() -> bytes:
        async with encryption(settings) as replica:
            return await seal(db, replica, tenant)

    made = await asyncio.gather(*(first() for _ in range(6)))
    assert len({sealed[1:17] for sealed in made}) == 1
    assert len(await admin.fetch("SELECT FROM probe.data_key")) == 1


async def test_a_workspace_can_not_get_the_keyring_of_another(
    db: Database, safe: Encryption, tenant: UUID, neighbour: UUID
) -> None:
    await seal(db, safe, neighbour)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with db.transaction(tenant) as tx:
            await safe.keyring(tx, neighbour)


async def test_a_workspace_sees_no_data_key_of_another(
    db: Database, safe: Encryption, tenant: UUID, neighbour: UUID
) -> None:
    await seal(db, safe, neighbour)
    async with db.transaction(tenant) as tx:
        assert not await tx.fetch("SELECT FROM data_key")
    async with db.transaction(neighbour) as tx:
        assert len(await tx.fetch("SELECT FROM data_key")) == 1


async def test_the_api_can_not_change_a_data_key(db: Database, safe: Encryption, tenant: UUID) -> None:
    await seal(db, safe, tenant)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.transaction(tenant) as tx:
            await tx.fetch("UPDATE data_key SET retired_at = now()")


async def test_a_worker_gets_keyrings_of_many_workspaces_at_once(
    db: Database, safe: Encryption, tenant: UUID, neighbour: UUID
) -> None:
    sealed = await seal(db, safe, neighbour)
    async with db.work() as tx:
        rings = await safe.keyrings(tx, [tenant, neighbour])
    assert rings[neighbour].open(sealed, PLACE) == b"hush"
    assert rings[tenant].newest != rings[neighbour].newest


async def test_shredding_makes_everything_unreadable_on_every_replica(
    db: Database, safe: Encryption, settings: Settings, tenant: UUID
) -> None:
    sealed = await seal(db, safe, tenant)
    async with encryption(settings) as replica:
        await open_(db, replica, tenant, sealed)
        await _shred(db, safe, tenant)
        for one in (safe, replica):
            with pytest.raises(Unsealable):
                await open_(db, one, tenant, sealed)


async def test_shredding_one_workspace_leaves_the_others_alone(
    db: Database, safe: Encryption, tenant: UUID, neighbour: UUID
) -> None:
    sealed = await seal(db, safe, neighbour)
    await seal(db, safe, tenant)
    async with db.work() as tx:
        await safe.shred(tx, tenant)
    assert await open_(db, safe, neighbour, sealed) == b"hush"


async def test_shredding_waits_for_those_who_are_writing(
    db: Database, safe: Encryption, tenant: UUID, admin: Admin
) -> None:
    async with db.transaction(tenant) as tx:
        ring = await safe.keyring(tx, tenant)
        shredding = asyncio.create_task(_shred(db, safe, tenant))
        await until_blocked(admin.fetch)
        assert not shredding.done()
        sealed = ring.seal(b"hush", PLACE)
    await shredding
    with pytest.raises(Unsealable):
        await open_(db, safe, tenant, sealed)


async def _shred(db: Database, safe: Encryption, tenant: UUID) -> None:
    async with db.work() as tx:
        await safe.shred(tx, tenant)


@dataclass
class Slow:
    """A key whose answers come when they are let go."""

    guard: KeyEncryption
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def unwrap(self, wrapped: WrappedKey, binding: Binding, /) -> bytes:
        self.asked.set()
        await self.go.wait()
        return await self.guard.unwrap(wrapped, binding)

    async def wrap(self, key: bytes, binding: Binding, /) -> WrappedKey:
        return await self.guard.wrap(key, binding)

    async def rewrap(self, wrapped: WrappedKey, binding: Binding, /) -> WrappedKey:
        return await self.guard.rewrap(wrapped, binding)

    async def renew(self) -> str | None:
        return await self.guard.renew()


async def test_a_key_that_is_shredded_while_it_is_unwrapped_is_not_kept(
    db: Database, safe: Encryption, tenant: UUID
) -> None:
    sealed, slow = await seal(db, safe, tenant), Slow(safe.guard)
    replica = Encryption(slow)
    reading = asyncio.create_task(open_(db, replica, tenant, sealed))
    await slow.asked.wait()
    # Whoever asked gives up, and with them their lock; the question goes on.
    reading.cancel()
    await asyncio.wait({reading})
    [unwrapping] = replica._unwrapping.values()  # noqa: SLF001

    await _shred(db, replica, tenant)
    slow.go.set()
    await unwrapping

    assert not replica._ciphers  # noqa: SLF001
    assert not replica._unwrapping  # noqa: SLF001


async def test_an_unwrapped_key_is_forgotten_after_its_time(db: Database, safe: Encryption, tenant: UUID) -> None:
    now = 0.0
    patient = Encryption(safe.guard, clock=lambda: now)
    sealed = await seal(db, patient, tenant)
    await _damage(db, tenant)
    now = CACHE_SECONDS - 1
    assert await open_(db, patient, tenant, sealed) == b"hush"
    now = CACHE_SECONDS + 1
    with pytest.raises(Unwrappable):
        await open_(db, patient, tenant, sealed)


async def _damage(db: Database, tenant: UUID) -> None:
    async with db.work() as tx:
        await tx.fetch(
            "UPDATE data_key SET wrapped_key = set_byte(wrapped_key, 20, 255 - get_byte(wrapped_key, 20)) "
            "WHERE tenant_id = $1",
            tenant,
        )


async def test_a_data_key_that_is_moved_to_another_workspace_does_not_unwrap(
    db: Database, safe: Encryption, tenant: UUID, neighbour: UUID
) -> None:
    await seal(db, safe, neighbour)
    async with db.work() as tx:
        await tx.fetch("UPDATE data_key SET tenant_id = $1 WHERE tenant_id = $2", tenant, neighbour)
    with pytest.raises(Unwrappable):
        await seal(db, safe, tenant)


async def test_without_a_configured_key_only_its_use_is_refused(db: Database, settings: Settings, tenant: UUID) -> None:
    async with encryption(settings.model_copy(update={"encryption_key_url": None})) as unset:
        with pytest.raises(KeyRefused, match="FILLSTREAM_ENCRYPTION_KEY_URL is not set"):
            await seal(db, unset, tenant)
