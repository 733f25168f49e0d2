"""What can happen to a clock? It steps by an hour under a running service, and back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from fillstream.contexts import names
from tests.chaos.fault import Faults, Wanted
from tests.chaos.servers import Layout, one_of_each
from tests.chaos.site import Site
from tests.instruments.clock import SteppingClock

_HOURS = (1, -1)


@dataclass(frozen=True)
class StepClock:
    """One service takes another hour for now; its servers and the other services do not."""

    context: str
    hours: int
    layout: Layout = one_of_each
    wanted: Wanted = Wanted.NOTHING_SAID

    @property
    def kind(self) -> str:
        """Which way."""
        return "clock-forward" if self.hours > 0 else "clock-back"

    @property
    def name(self) -> str:
        """Whose clock, and which way."""
        return f"clock of {self.context} {self.hours:+} h"

    async def inject(self, site: Site, rng: Random) -> None:
        """Progress is expected from the step on; the clock steps back ten seconds later or more."""
        clock = SteppingClock(site.folder / f"clock-{self.context}")
        await site.restart(self.context, variables=clock.environment)
        await asyncio.sleep(rng.uniform(1, 3))
        site.harm_ended()
        clock.step(timedelta(hours=self.hours))
        await asyncio.sleep(rng.uniform(10, 15))
        clock.step(timedelta())
        await asyncio.sleep(rng.uniform(1, 3))
        await site.restart(self.context)


FAULTS: Faults = tuple(StepClock(context, hours) for context in names() for hours in _HOURS)
