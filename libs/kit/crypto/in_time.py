"""How long may a key take in all? Less than a transaction may be silent, however many questions one answer needs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from libs.kit.crypto.key_encryption import ALL_ANSWERS_SECONDS, Binding, KeyEncryption, KeyServiceAway, WrappedKey


@dataclass(frozen=True, slots=True)
class InTime:
    """A key whose answers come in time, or not at all: a token first, or another key afterwards, counts as well."""

    guard: KeyEncryption

    async def wrap(self, key: bytes, binding: Binding, /) -> WrappedKey:
        """Encrypt a key by the newest version."""
        async with _within(ALL_ANSWERS_SECONDS):
            return await self.guard.wrap(key, binding)

    async def unwrap(self, wrapped: WrappedKey, binding: Binding, /) -> bytes:
        """The key, whichever version wrapped it. Raises Unwrappable."""
        async with _within(ALL_ANSWERS_SECONDS):
            return await self.guard.unwrap(wrapped, binding)

    async def rewrap(self, wrapped: WrappedKey, binding: Binding, /) -> WrappedKey:
        """The same key, wrapped by the newest version. Raises Unwrappable. May take as long as both of the others."""
        async with _within(2 * ALL_ANSWERS_SECONDS):
            return await self.guard.rewrap(wrapped, binding)

    async def renew(self) -> str | None:
        """Make a new version that wraps from now on, and name it."""
        async with _within(ALL_ANSWERS_SECONDS):
            return await self.guard.renew()


@asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise KeyServiceAway(f"what guards the keys gives no answer within {seconds} s") from None
