"""How are passwords kept and checked? By helper processes, as slowly for a stranger as for a user."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar, TypeVarTuple

from libs.kit.background.pool import Helpers
from libs.kit.errors import Overloaded
from services.auth.hashing import LEAST_COST, Cost, matches, needs_renewal, new_hash, nobodys_hash
from services.auth.strength import Weakness, weakness

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_RETRY_SECONDS = 2


class Passwords:
    """Hashes up to `most` passwords at the same time; `queue` further ones wait, and those beyond are turned away."""

    def __init__(self, most: int, queue: int, cost: Cost = LEAST_COST) -> None:
        self._cost = cost
        self._helpers = Helpers(most)
        self._room = most + queue
        self._nobodys_hash = nobodys_hash(cost)

    async def hash(self, password: str) -> str:
        """The encoded hash, with its salt and parameters. Raises Overloaded."""
        return await self._run(new_hash, self._cost, password)

    async def match(self, password: str, known_hash: str | None) -> bool:
        """Whether the password is the one that was hashed. Without a hash the work is the same and the answer no.

        So it is, at least, with a hash that takes less than those of today. Raises Overloaded.
        """
        matched = await self._run(matches, self._cost, password, known_hash or self._nobodys_hash)
        return matched and known_hash is not None

    async def weakness(self, password: str, about: Sequence[str]) -> Weakness | None:
        """What makes a new password weak, given what others know of its owner, or None. Raises Overloaded."""
        return await self._run(weakness, password, about)

    async def renewed(self, password: str, known_hash: str) -> str | None:
        """The hash of a password that matched, as it would be made today; None when it is like that already."""
        return await self.hash(password) if needs_renewal(self._cost, known_hash) else None

    async def _run(self, work: Callable[[*Ts], T], *arguments: *Ts) -> T:
        with self._seat():
            return await self._helpers.run(work, *arguments)

    @contextmanager
    def _seat(self) -> Iterator[None]:
        if self._room == 0:
            raise Overloaded("too many passwords are being checked now", retry_after=_RETRY_SECONDS)
        self._room -= 1
        try:
            yield
        finally:
            self._room += 1
