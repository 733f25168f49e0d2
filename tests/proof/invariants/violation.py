"""What is an invariant, and what is a violation of one?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tests.proof.invariants.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that contradicts an invariant; `detail` names it by its ids."""

    invariant: str
    detail: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Invariant:
    """What has to be true at rest. Its name is the function's, its statement the first line of the docstring."""

    find: Callable[[Evidence], Awaitable[Sequence[str]]]
    """Gives whatever contradicts it, each in one line."""

    @property
    def name(self) -> str:
        """By which it is reported."""
        return self.find.__name__

    @property
    def statement(self) -> str:
        """What it says."""
        return (self.find.__doc__ or "").partition("\n")[0]

    async def violations(self, evidence: Evidence) -> list[Violation]:
        """Whatever contradicts it."""
        return [Violation(self.name, detail) for detail in await self.find(evidence)]
