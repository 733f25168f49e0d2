"""How are passwords kept and checked? As argon2id hashes, on threads of their own, as slowly for a stranger as for a user."""

from __future__ import annotations

import asyncio
import secrets
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

# OWASP's second choice for argon2id: 19 MiB, two passes, one lane.
_MEMORY_KIB = 19_456
_PASSES = 2
_LANES = 1


def _bytes_of(password: str) -> bytes:
    # Keyboards differ in how they compose accents (RFC 8265); unpaired surrogates never get past the API.
    return unicodedata.normalize("NFKC", password).encode()


class Passwords:
    """Hashes up to `threads` passwords at the same time; further ones wait."""

    def __init__(self, threads: int) -> None:
        self._hasher = PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=_LANES)
        self._slots = asyncio.Semaphore(threads)
        self._nobodys_hash = self._hasher.hash(secrets.token_bytes(16))

    async def hash(self, password: str) -> str:
        """The encoded hash, with its salt and parameters."""
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, _bytes_of(password))

    async def match(self, password: str, known_hash: str | None) -> bool:
        """Whether the password is the one that was hashed. Without a hash the work is the same and the answer no."""
        async with self._slots:
            matched = await asyncio.to_thread(self._verify, known_hash or self._nobodys_hash, password)
        return matched and known_hash is not None

    def _verify(self, known_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(known_hash, _bytes_of(password))
        except VerifyMismatchError:
            return False
