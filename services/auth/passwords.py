"""How are passwords kept and checked? As argon2id hashes, on threads of their own, as slowly for a stranger as for a user."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from libs.kit.errors import Overloaded
from services.auth.strength import Weakness, weakness

T = TypeVar("T")

# OWASP's second choice for argon2id: 19 MiB, two passes, one lane.
_MEMORY_KIB = 19_456
_PASSES = 2
_LANES = 1
_BCRYPT_PREFIXES = ("$2a$", "$2b$", "$2y$")
# Bcrypt never saw more of a password, wherever the hash was made.
_BCRYPT_BYTES = 72
# Behind whatever else the process does: a storm of logins slows down logins, and nothing besides.
_NICENESS = 10
_RETRY_SECONDS = 2


def _bytes_of(password: str) -> bytes:
    # Keyboards differ in how they compose accents (RFC 8265); unpaired surrogates never get past the API.
    return unicodedata.normalize("NFKC", password).encode()


def is_known_hash(text: str) -> bool:
    """Whether it is a hash that passwords can be checked against: argon2id's or bcrypt's, whole."""
    if text.startswith(_BCRYPT_PREFIXES):
        try:
            bcrypt.checkpw(b"", text.encode())
        except ValueError:
            return False
        return True
    if not text.startswith("$argon2id$"):
        return False
    try:
        PasswordHasher().check_needs_rehash(text)
    except InvalidHashError:
        return False
    return True


def _step_back() -> None:
    """Let this thread run when no other wants to; only Linux gives threads a niceness of their own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


class Passwords:
    """Hashes up to `threads` passwords at the same time; `queue` further ones wait, and those beyond are turned away."""

    def __init__(self, threads: int, queue: int) -> None:
        self._hasher = PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=_LANES)
        self._threads = ThreadPoolExecutor(threads, "passwords", _step_back)
        self._room = threads + queue
        self._nobodys_hash = self._hasher.hash(secrets.token_bytes(16))

    def close(self) -> None:
        """End the threads; what waits is given up."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """The encoded hash, with its salt and parameters. Raises Overloaded."""
        return await self._run(lambda: self._hasher.hash(_bytes_of(password)))

    async def match(self, password: str, known_hash: str | None) -> bool:
        """Whether the password is the one that was hashed. Without a hash the work is the same and the answer no.

        Raises Overloaded.
        """
        matched = await self._run(lambda: self._verify(known_hash or self._nobodys_hash, password))
        return matched and known_hash is not None

    async def weakness(self, password: str, about: Sequence[str]) -> Weakness | None:
        """What makes a new password weak, given what others know of its owner, or None. Raises Overloaded."""
        return await self._run(lambda: weakness(password, about))

    async def renewed(self, password: str, known_hash: str) -> str | None:
        """The hash of a password that matched, as it would be made today; None when it is like that already."""
        if not known_hash.startswith(_BCRYPT_PREFIXES) and not self._hasher.check_needs_rehash(known_hash):
            return None
        return await self.hash(password)

    async def _run(self, work: Callable[[], T]) -> T:
        with self._seat():
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    @contextmanager
    def _seat(self) -> Iterator[None]:
        if self._room == 0:
            raise Overloaded("too many passwords are being checked now", retry_after=_RETRY_SECONDS)
        self._room -= 1
        try:
            yield
        finally:
            self._room += 1

    def _verify(self, known_hash: str, password: str) -> bool:
        if known_hash.startswith(_BCRYPT_PREFIXES):
            return bcrypt.checkpw(password.encode()[:_BCRYPT_BYTES], known_hash.encode())
        try:
            return self._hasher.verify(known_hash, _bytes_of(password))
        except VerifyMismatchError:
            return False
