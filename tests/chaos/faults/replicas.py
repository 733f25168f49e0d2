"""What do orchestrators do in peace? They roll out anew under load, and let replicas join and leave."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from random import Random

from tests.chaos.fault import Faults, PromiseBroken, Wanted
from tests.chaos.servers import Layout, one_of_each
from tests.chaos.site import Site

_TOGETHER_SECONDS = 3.0


@dataclass(frozen=True)
class RollingRestart:
    """Every service is replaced by a new process while the old one drains; clients must not notice."""

    name: str = "roll all services out"
    kind: str = "rolling-restart"
    layout: Layout = one_of_each
    wanted: Wanted = Wanted.NOTHING_SAID

    async def inject(self, site: Site, rng: Random) -> None:
        """A new replica beside each old one, the old one restarted, the new one gone again. Raises PromiseBroken."""
        began = time.monotonic()
        await _start_second_replicas(site)
        for context in rng.sample(site.contexts, len(site.contexts)):
            await site.at(context).stop()
        await asyncio.gather(*(site.start(context) for context in site.contexts))
        await site.gateway.until_routed(site.contexts, replicas=2)
        for context in rng.sample(site.contexts, len(site.contexts)):
            await site.at(context, 2).stop()
        failed = [str(failure) for failure in site.failures if failure.at >= began]
        if failed:
            raise PromiseBroken(f"{len(failed)} requests failed in a rolling restart: {' | '.join(failed[:5])}")


@dataclass(frozen=True)
class JoinAndLeave:
    """A second replica of every service joins, shares the work, and leaves gracefully."""

    name: str = "second replicas join and leave"
    kind: str = "join-and-leave"
    layout: Layout = one_of_each
    wanted: Wanted = Wanted.NOTHING_SAID

    async def inject(self, site: Site, rng: Random) -> None:
        """Rebalance every group twice."""
        await _start_second_replicas(site)
        await asyncio.sleep(rng.uniform(0, _TOGETHER_SECONDS))
        site.harm_ended()
        await asyncio.gather(*(site.at(context, 2).stop() for context in site.contexts))


@dataclass(frozen=True)
class JoinAndDie:
    """A second replica of every service joins, and half of the old and the new ones are killed at once."""

    name: str = "second replicas join, half of all die"
    kind: str = "join-and-die"
    layout: Layout = one_of_each
    wanted: Wanted = Wanted.AFTER_A_SERVICE

    async def inject(self, site: Site, rng: Random) -> None:
        """One replica of each service dies; the supervisor brings the first ones back, the second ones stay away."""
        await _start_second_replicas(site)
        await asyncio.sleep(rng.uniform(0, _TOGETHER_SECONDS))
        site.harm_ended()
        for context in site.contexts:
            site.at(context, rng.choice((1, 2))).kill()
        await site.until_all_ready()
        await asyncio.gather(*(site.at(context, 2).end() for context in site.contexts))


async def _start_second_replicas(site: Site) -> None:
    await asyncio.gather(*(site.start(context, 2) for context in site.contexts))
    await site.gateway.until_routed(site.contexts, replicas=2)


FAULTS: Faults = (RollingRestart(), JoinAndLeave(), JoinAndDie())
