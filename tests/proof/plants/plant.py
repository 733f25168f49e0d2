"""What is a plant? One corruption of a finished run, and the one invariant that must notice it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.proof.spoil import Spoilt


@dataclass(frozen=True)
class Plant:
    """A corruption, said in a few words."""

    invariant: str
    what: str
    spoil: Callable[[Spoilt], Awaitable[None]]

    def __str__(self) -> str:
        return f"{self.invariant}: {self.what}"


def in_database(invariant: str, what: str, *statements: str) -> Plant:
    """A corruption by statements alone."""

    async def spoil(spoilt: Spoilt) -> None:
        for statement in statements:
            # A plant that changes nothing would prove nothing.
            status = await spoilt.database.execute(statement)
            assert not status.endswith(" 0"), f"{status}: {statement}"

    return Plant(invariant, what, spoil)


def in_cluster(invariant: str, what: str, statement: str, *, undo: str) -> Plant:
    """A corruption of what all databases share."""

    async def spoil(spoilt: Spoilt) -> None:
        await spoilt.everywhere(statement, undo=undo)

    return Plant(invariant, what, spoil)
