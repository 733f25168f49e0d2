"""How does a transaction get at its workspace's secrets? By a keyring of data keys, unwrapped and kept for minutes."""

from __future__ import annotations

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from libs.kit.crypto import data_keys
from libs.kit.crypto.addresses import key_encryption
from libs.kit.crypto.data_keys import DataKey
from libs.kit.crypto.key_encryption import DATA_KEY_BYTES, Binding, KeyEncryption, WrappedKey
from libs.kit.crypto.keyring import Keyring
from libs.kit.db import Tx
from libs.kit.ids import uuid7
from libs.kit.settings import Settings

CACHE_SECONDS = 300.0
"""How long an unwrapped data key stays in memory. Which keys may be used, each transaction asks the database."""
CACHE_KEYS = 10_000

_Kept = tuple[float, AESGCM]


@dataclass(eq=False)
class Encryption:
    """The way to secrets, guarded by one key-encryption key."""

    guard: KeyEncryption
    clock: Callable[[], float] = time.monotonic
    """Seconds that only grow."""
    _ciphers: OrderedDict[Binding, _Kept] = field(default_factory=OrderedDict, repr=False)
    _unwrapping: dict[Binding, asyncio.Task[AESGCM]] = field(default_factory=dict, repr=False)

    async def keyring(self, tx: Tx, tenant_id: UUID) -> Keyring:
        """The keyring of a workspace, good until the transaction ends. Makes the workspace's first data key.

        Raises KeyServiceAway, KeyRefused and Unwrappable.
        """
        return (await self.keyrings(tx, [tenant_id]))[tenant_id]

    async def keyrings(self, tx: Tx, tenant_ids: Collection[UUID]) -> Mapping[UUID, Keyring]:
        """The same for several workspaces at once, which only a worker's transaction can see."""
        tenants = set(tenant_ids)
        keys = list(await data_keys.share_keys(tx, tenants))
        sealing = {key.tenant_id for key in keys if not key.is_retired}
        keys += [
            await data_keys.insert_first(tx, await self.new_key(tx.schema, one, tx.now))
            for one in sorted(tenants - sealing)
        ]
        ciphers = dict(zip(keys, await self._unwrapped(tx.schema, keys), strict=True))
        return {one: _keyring(tx.schema, one, ciphers) for one in tenants}

    async def shred(self, tx: Tx, tenant_id: UUID) -> None:
        """Destroy a workspace's data keys, so that nobody ever reads what was sealed in this context until now.

        Other replicas find no key from their next transaction on, and forget what they unwrapped within CACHE_SECONDS.
        Whatever is sealed afterwards gets a new key. Needs a worker's transaction.
        """
        for key in await data_keys.lock_keys(tx, tenant_id):
            self._ciphers.pop(key.binding(tx.schema), None)
            # What is being unwrapped for somebody who gave up meanwhile must not come back afterwards.
            self._unwrapping.pop(key.binding(tx.schema), None)
        await data_keys.destroy_all(tx, tenant_id)

    async def new_key(self, schema: str, tenant_id: UUID, at: datetime) -> DataKey:
        """A new data key, wrapped, that no database knows yet."""
        key_id = uuid7()
        binding = Binding(schema, tenant_id, str(key_id))
        return DataKey(tenant_id, key_id, await self.guard.wrap(os.urandom(DATA_KEY_BYTES), binding), at)

    async def _unwrapped(self, schema: str, keys: Iterable[DataKey]) -> list[AESGCM]:
        return await asyncio.gather(*(self._cipher(key.binding(schema), key.wrapped) for key in keys))

    async def _cipher(self, name: Binding, wrapped: WrappedKey) -> AESGCM:
        kept = self._ciphers.get(name)
        if kept is not None and self.clock() < kept[0]:
            self._ciphers.move_to_end(name)
            return kept[1]
        task = self._unwrapping.get(name)
        if task is None:
            task = asyncio.ensure_future(self._unwrap(name, wrapped))
            self._unwrapping[name] = task
            task.add_done_callback(lambda done: self._unwrapped_now(name, done))
        # Shielded: others wait for the same answer.
        return await asyncio.shield(task)

    def _unwrapped_now(self, name: Binding, done: asyncio.Task[AESGCM]) -> None:
        if self._unwrapping.get(name) is done:
            del self._unwrapping[name]
        if not done.cancelled():
            # Looked at, also when nobody waits any more.
            done.exception()

    async def _unwrap(self, name: Binding, wrapped: WrappedKey) -> AESGCM:
        cipher = AESGCM(await self.guard.unwrap(wrapped, name))
        if self._unwrapping.get(name) is not asyncio.current_task():
            return cipher
        now = self.clock()
        # Also those that nobody asks for any more: a key that was destroyed must not live on here.
        for kept in [kept for kept, (until, _) in self._ciphers.items() if until <= now]:
            del self._ciphers[kept]
        self._ciphers[name] = (now + CACHE_SECONDS, cipher)
        while len(self._ciphers) > CACHE_KEYS:
            self._ciphers.popitem(last=False)
        return cipher


def _keyring(schema: str, tenant_id: UUID, ciphers: Mapping[DataKey, AESGCM]) -> Keyring:
    own = {key: cipher for key, cipher in ciphers.items() if key.tenant_id == tenant_id}
    newest = next(key.id for key in own if not key.is_retired)
    return Keyring(schema, tenant_id, newest, {key.id: cipher for key, cipher in own.items()})


@asynccontextmanager
async def encryption(settings: Settings) -> AsyncIterator[Encryption]:
    """The encryption of an installation. Without an `encryption_key_url`, its first use raises KeyRefused."""
    async with key_encryption(settings) as guard:
        yield Encryption(guard)
