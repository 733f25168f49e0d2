"""How are passwords kept and checked? As argon2id hashes, on threads of their own, as slowly for a stranger as for a user."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self, TypeVar

import bcrypt
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerificationError, VerifyMismatchError
from argon2.low_level import Type, hash_secret_raw, verify_secret

from libs.kit.errors import Overloaded
from services.auth.settings import Settings
from services.auth.strength import Weakness, weakness

T = TypeVar("T")

_LANES = 1
_ARGON2ID = re.compile(
    r"(?P<kind>\$argon2id\$v=(16|19))\$m=(?P<memory>[1-9][0-9]{0,6}),t=(?P<passes>[1-9][0-9]{0,3}),"
    r"p=(?P<lanes>[1-9][0-9]?)(?P<rest>\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86})"
)
_BCRYPT = re.compile(r"(?P<kind>\$2[aby]\$)(?P<rounds>[0-9]{2})(?P<rest>\$[./A-Za-z0-9]{53})")
_LEAST_MEMORY_KIB = 8
_MOST_MEMORY_KIB = 256 * 1024
# All passes together.
_MOST_WORK_KIB = 1024 * 1024
_MOST_LANES = 16
_LEAST_ROUNDS, _MOST_ROUNDS = 4, 14
_BCRYPT_PREFIXES = ("$2a$", "$2b$", "$2y$")
# Bcrypt never saw more of a password, wherever the hash was made.
_BCRYPT_BYTES = 72
# For work whose result nobody wants.
_NO_SALT, _DIGEST_BYTES = bytes(16), 32
# Behind whatever else the process does: a storm of logins slows down logins, and nothing besides.
_NICENESS = 10
_RETRY_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Cost:
    """What one hash takes; older ones of less are made anew at the next login. OWASP's least is 19 MiB and two passes."""

    memory_kib: int = 19_456
    passes: int = 2

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What an installation is set to."""
        return cls(settings.auth_argon2_memory_kib, settings.auth_argon2_passes)


def work_of(known_hash: str) -> int:
    """What checking a password against a hash takes at least: KiB that argon2 fills, in all passes, on one core.

    Nothing for bcrypt, whose rounds nobody can tell in KiB.
    """
    if known_hash.startswith(_BCRYPT_PREFIXES):
        return 0
    known = extract_parameters(known_hash)
    return known.memory_cost * known.time_cost // known.parallelism


def missing_work(cost: Cost, known_hash: str) -> tuple[Cost, ...]:
    """What brings a refusal by a hash up to what a stranger's takes, with no more memory at once than any other check."""
    missing = cost.memory_kib * cost.passes - work_of(known_hash)
    if missing <= 0:
        return ()
    passes, rest = divmod(missing, cost.memory_kib)
    whole = (Cost(cost.memory_kib, passes),) if passes else ()
    # Argon2 knows no less.
    return (*whole, Cost(max(rest, _LEAST_MEMORY_KIB), 1)) if rest else whole


def _bytes_of(password: str) -> bytes:
    # Keyboards differ in how they compose accents (RFC 8265); unpaired surrogates never get past the API.
    return unicodedata.normalize("NFKC", password).encode()


def is_known_hash(text: str) -> bool:
    """Whether it is a hash that passwords can be checked against: argon2id's or bcrypt's, whole.

    One that would take a thread for longer than about a second, or more than 256 MiB, is none.
    """
    return _is_argon2id(text) or _is_bcrypt(text)


def _is_argon2id(text: str) -> bool:
    found = _ARGON2ID.fullmatch(text)
    if found is None:
        return False
    memory, passes, lanes = (int(found[name]) for name in ("memory", "passes", "lanes"))
    if not 8 * lanes <= memory <= _MOST_MEMORY_KIB or memory * passes > _MOST_WORK_KIB or lanes > _MOST_LANES:
        return False
    try:
        # Whether salt and hash are whole does not depend on the work.
        verify_secret(f"{found['kind']}$m=8,t=1,p=1{found['rest']}".encode(), b"", Type.ID)
    except VerifyMismatchError:
        return True
    except VerificationError:
        return False
    return True


def _is_bcrypt(text: str) -> bool:
    found = _BCRYPT.fullmatch(text)
    if found is None or not _LEAST_ROUNDS <= int(found["rounds"]) <= _MOST_ROUNDS:
        return False
    try:
        bcrypt.checkpw(b"", f"{found['kind']}{_LEAST_ROUNDS:02}{found['rest']}".encode())
    except ValueError:
        return False
    return True


def _step_back() -> None:
    """Let this thread run when no other wants to; only Linux gives threads a niceness of their own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


class Passwords:
    """Hashes up to `threads` passwords at the same time; `queue` further ones wait, and those beyond are turned away."""

    def __init__(self, threads: int, queue: int, cost: Cost = Cost()) -> None:
        self._cost = cost
        self._hasher = PasswordHasher(time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=_LANES)
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

        So it is, at least, with a hash that takes less than those of today. Raises Overloaded.
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
        matched = self._matches(known_hash, password)
        if not matched:
            self._work_off(missing_work(self._cost, known_hash), password)
        return matched

    def _work_off(self, missing: Sequence[Cost], password: str) -> None:
        for cost in missing:
            hash_secret_raw(_bytes_of(password), _NO_SALT, cost.passes, cost.memory_kib, _LANES, _DIGEST_BYTES, Type.ID)

    def _matches(self, known_hash: str, password: str) -> bool:
        if known_hash.startswith(_BCRYPT_PREFIXES):
            return bcrypt.checkpw(password.encode()[:_BCRYPT_BYTES], known_hash.encode())
        try:
            return self._hasher.verify(known_hash, _bytes_of(password))
        except VerifyMismatchError:
            return False
