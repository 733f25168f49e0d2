"""How does an installation move from one key-encryption key to another? Both open; the one that is meant wraps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from libs.kit.crypto.key_encryption import Binding, KeyEncryption, KeyRefused, Unwrappable, WrappedKey

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TwoKeys:
    """A key that does the work, and another one that opens what it wrapped, before or after the move."""

    chosen: KeyEncryption
    other: KeyEncryption

    async def wrap(self, key: bytes, binding: Binding, /) -> WrappedKey:
        """Encrypt a key by the chosen one."""
        return await self.chosen.wrap(key, binding)

    async def unwrap(self, wrapped: WrappedKey, binding: Binding, /) -> bytes:
        """The key, whichever of the two wrapped it. Raises Unwrappable and KeyRefused in the words of the chosen one."""
        return await _either(lambda: self.chosen.unwrap(wrapped, binding), lambda: self.other.unwrap(wrapped, binding))

    async def rewrap(self, wrapped: WrappedKey, binding: Binding, /) -> WrappedKey:
        """The same key, wrapped by the chosen one. Raises as `unwrap`."""

        async def move() -> WrappedKey:
            return await self.chosen.wrap(await self.other.unwrap(wrapped, binding), binding)

        return await _either(lambda: self.chosen.rewrap(wrapped, binding), move)

    async def renew(self) -> str | None:
        """Make a new version of the chosen one."""
        return await self.chosen.renew()


async def _either(first: Callable[[], Awaitable[T]], second: Callable[[], Awaitable[T]]) -> T:
    try:
        return await first()
    except (KeyRefused, Unwrappable) as refusal:
        try:
            return await second()
        except (KeyRefused, Unwrappable):
            raise refusal from None
