"""How are passwords hashed and compared? With argon2id; bcrypt's hashes, which others have made, are compared as well.

Pure functions, for helper processes: nothing is imported here that these don't need.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Self

import bcrypt
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerificationError, VerifyMismatchError
from argon2.low_level import Type, hash_secret_raw, verify_secret

if TYPE_CHECKING:
    from services.auth.settings import Settings

_LANES = 1
_ARGON2ID = re.compile(
    r"(?P<kind>\$argon2id\$v=(16|19))\$m=(?P<memory>[1-9][0-9]{0,6}),t=(?P<passes>[1-9][0-9]{0,3}),"
    r"p=(?P<lanes>[1-9][0-9]?)(?P<rest>\$[A-Za-z0-9+/]{11,86}\$(?P<tag>[A-Za-z0-9+/]{22,86}))"
)
# Bytes. Hashes are of whole words: one of 31 bytes has lost its end, and is well-formed in a case of sixteen.
_WORD = 4
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


@dataclass(frozen=True, slots=True)
class Cost:
    """What one hash takes; older ones of less are made anew at the next login. OWASP's least is 19 MiB and two passes."""

    memory_kib: int = 19_456
    passes: int = 2

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What an installation is set to."""
        return cls(settings.auth_argon2_memory_kib, settings.auth_argon2_passes)


LEAST_COST = Cost()


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
    if len(found["tag"]) * 6 // 8 % _WORD:
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


@cache
def nobodys_hash(cost: Cost) -> str:
    """That of a password which nobody will ever know, for strangers to be compared with."""
    return _hasher(cost).hash(secrets.token_bytes(16))


def new_hash(cost: Cost, password: str) -> str:
    """The encoded hash of a password, with its salt and parameters."""
    return _hasher(cost).hash(_bytes_of(password))


def needs_renewal(cost: Cost, known_hash: str) -> bool:
    """Whether a hash would be made in another way today."""
    return known_hash.startswith(_BCRYPT_PREFIXES) or _hasher(cost).check_needs_rehash(known_hash)


def matches(cost: Cost, password: str, known_hash: str) -> bool:
    """Whether the password is the one that was hashed. To say no takes at least the work of a hash of that cost."""
    matched = _matches(known_hash, password)
    if not matched:
        _work_off(missing_work(cost, known_hash), password)
    return matched


def _matches(known_hash: str, password: str) -> bool:
    if known_hash.startswith(_BCRYPT_PREFIXES):
        return bcrypt.checkpw(password.encode()[:_BCRYPT_BYTES], known_hash.encode())
    try:
        return PasswordHasher().verify(known_hash, _bytes_of(password))
    except VerifyMismatchError:
        return False


def _work_off(missing: Sequence[Cost], password: str) -> None:
    for cost in missing:
        hash_secret_raw(_bytes_of(password), _NO_SALT, cost.passes, cost.memory_kib, _LANES, _DIGEST_BYTES, Type.ID)


def _hasher(cost: Cost) -> PasswordHasher:
    return PasswordHasher(time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=_LANES)
