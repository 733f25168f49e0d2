"""How much of the time does Python compute? What is left of it when the servers take none is the limit of one process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median


class Effort:
    """The processor time of this process in each turn of a contestant."""

    def __init__(self) -> None:
        self._turns: list[float] = []

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Count what is computed meanwhile."""
        begun = time.process_time()
        yield
        self._turns.append(time.process_time() - begun)

    def note(self, count: int, what: str) -> str:
        """The median of the turns, for each of the `count` things that were done in one."""
        return f"this process computes {median(self._turns) / count * 1e6:.0f} us a {what}"
