"""What can happen to a process? It is killed, or frozen for longer than its sessions last."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random

from fillstream.contexts import names
from tests.chaos.fault import Faults, Wanted
from tests.chaos.servers import Layout, one_of_each
from tests.chaos.site import Site

_FROZEN_SECONDS = 8.0
"""Longer than the sessions with the broker (6 s) and the database (5 s)."""


@dataclass(frozen=True)
class KillService:
    """SIGKILL; the supervisor starts it again."""

    context: str
    kind: str = "kill-service"
    layout: Layout = one_of_each
    wanted: Wanted = Wanted.AFTER_A_SERVICE

    @property
    def name(self) -> str:
        """Whom it kills."""
        return f"kill {self.context}"

    async def inject(self, site: Site, rng: Random) -> None:
        """Kill it at any moment."""
        await asyncio.sleep(rng.uniform(0, 1))
        site.harm_ended()
        site.at(self.context).kill()


FAULTS: Faults = tuple(KillService(name) for name in names())
