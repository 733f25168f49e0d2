"""What is a fault? It harms a site, undoes the harm, and says what it needs."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from random import Random
from typing import Protocol

from tests.chaos.servers import Layout
from tests.chaos.site import Site


class Wanted(Enum):
    """How soon progress is wanted again, in seconds; reported, never a reason to fail."""

    AFTER_A_SERVICE = 10.0
    AFTER_A_BROKER = 20.0
    NOTHING_SAID = None


class PromiseBroken(AssertionError):
    """What only the fault itself could see went wrong; it counts as a violation."""


class Fault(Protocol):
    """One way to harm a site. Implemented as a frozen dataclass."""

    @property
    def name(self) -> str:
        """What it does to whom: `kill orders`. No other fault has it."""

    @property
    def kind(self) -> str:
        """What it is a case of: `kill-service`. `--only` picks by it, and the table counts by it."""

    @property
    def layout(self) -> Layout:
        """The servers that it needs, `one_of_each` or others; faults of the same one share a site."""

    @property
    def wanted(self) -> Wanted:
        """How soon progress is wanted again."""

    async def inject(self, site: Site, rng: Random) -> None:
        """Harm the site and undo it; whatever is left to chance is drawn from `rng`.

        Until progress resumes is measured from the beginning of the call, or from the last call of `site.harm_ended()`.
        Raises PromiseBroken.
        """


Faults = Sequence[Fault]
