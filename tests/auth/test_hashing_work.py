"""A refusal never takes less hashing than a stranger's, whatever the password of whoever is known was hashed with.

Work is counted, not timed: KiB that argon2 fills in all passes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import argon2.low_level
import bcrypt
import pytest
from argon2 import PasswordHasher, _password_hasher
from argon2.low_level import hash_secret_raw, verify_secret
from hypothesis import given
from hypothesis import strategies as st

from services.auth import hashing
from services.auth.hashing import Cost, matches, missing_work, nobodys_hash, work_of

PASSWORD = "correct horse battery staple"
TODAY = Cost(memory_kib=1024, passes=3)
STRANGERS = TODAY.memory_kib * TODAY.passes
SALT_AND_HASH = "$c29tZXNhbHRzb21l$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI"


@dataclass
class Counter:
    """Does all hashing as it is done, and counts it."""

    kib: int = 0
    widest: int = 0
    """The most memory that was taken at once."""
    of_bcrypt: list[bytes] = field(default_factory=list)

    def _count(self, memory_kib: int, passes: int) -> None:
        self.kib += memory_kib * passes
        self.widest = max(self.widest, memory_kib)

    def verify_secret(self, known: bytes, secret: bytes, kind: argon2.low_level.Type) -> bool:
        shown = argon2.extract_parameters(known.decode())
        self._count(shown.memory_cost, shown.time_cost)
        return verify_secret(known, secret, kind)

    def hash_secret_raw(
        self,
        secret: bytes,
        salt: bytes,
        passes: int,
        memory_kib: int,
        lanes: int,
        size: int,
        kind: argon2.low_level.Type,
    ) -> bytes:
        self._count(memory_kib, passes)
        return hash_secret_raw(secret, salt, passes, memory_kib, lanes, size, kind)


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    counting = Counter()
    monkeypatch.setattr(_password_hasher, "verify_secret", counting.verify_secret)
    monkeypatch.setattr(hashing, "hash_secret_raw", counting.hash_secret_raw)
    return counting


def argon2id(memory_kib: int, passes: int, lanes: int = 1) -> str:
    return PasswordHasher(passes, memory_kib, lanes).hash(PASSWORD)


def refuse(known_hash: str) -> None:
    assert not matches(TODAY, "not the password", known_hash)


def test_a_stranger_costs_one_hash_of_today(counter: Counter) -> None:
    refuse(nobodys_hash(TODAY))

    assert (counter.kib, counter.widest) == (STRANGERS, TODAY.memory_kib)


@pytest.mark.parametrize(("memory_kib", "passes"), [(8, 1), (512, 2), (1024, 1), (1024, 3), (2048, 1)])
def test_an_older_hash_of_less_cost_is_refused_with_a_strangers_work(
    counter: Counter, memory_kib: int, passes: int
) -> None:
    refuse(argon2id(memory_kib, passes))

    # Argon2 fills no less than 8 KiB.
    assert STRANGERS <= counter.kib < STRANGERS + 8
    assert counter.widest <= max(TODAY.memory_kib, memory_kib)


@pytest.mark.parametrize("rounds", [4, 5])
def test_bcrypt_is_refused_with_no_less_than_a_strangers_work(counter: Counter, rounds: int) -> None:
    refuse(bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(rounds)).decode())

    assert (counter.kib, counter.widest) == (STRANGERS, TODAY.memory_kib)


def test_a_dearer_hash_is_checked_once_and_nothing_is_added(counter: Counter) -> None:
    refuse(argon2id(2048, 2))

    assert counter.kib == 4096


def test_a_right_password_waits_for_nothing_more(counter: Counter) -> None:
    assert matches(TODAY, PASSWORD, argon2id(512, 1))

    assert counter.kib == 512


@given(
    memory_kib=st.integers(8, 65_536),
    passes=st.integers(1, 10),
    lanes=st.integers(1, 4),
    today=st.builds(Cost, st.integers(8, 65_536), st.integers(1, 10)),
)
def test_what_is_missing_is_made_up_for_and_never_with_more_memory(
    memory_kib: int, passes: int, lanes: int, today: Cost
) -> None:
    known = f"$argon2id$v=19$m={memory_kib},t={passes},p={lanes}{SALT_AND_HASH}"

    added = missing_work(today, known)

    missing = today.memory_kib * today.passes - work_of(known)
    made_up = sum(cost.memory_kib * cost.passes for cost in added)
    assert max(0, missing) <= made_up < max(1, missing + 8)
    assert all(8 <= cost.memory_kib <= today.memory_kib for cost in added)
