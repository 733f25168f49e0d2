"""What can happen to one of three brokers? It dies, loses its disk, is replaced; or two of them are away."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random

from libs.schema.catalogue import TOPICS
from tests.chaos.fault import Faults, Wanted
from tests.chaos.layouts import on_three_brokers
from tests.chaos.servers import Layout
from tests.chaos.site import Site
from tests.instruments.cluster import Node, until_in_sync


@dataclass(frozen=True)
class KillOneOfThree:
    """SIGKILL; it comes back with its disk while the other two go on."""

    name: str = "kill one of three brokers"
    kind: str = "kill-one-of-three"
    layout: Layout = on_three_brokers
    wanted: Wanted = Wanted.AFTER_A_BROKER

    async def inject(self, site: Site, rng: Random) -> None:
        """Progress is expected from its death on, without it."""
        broker = rng.choice(_nodes(site))
        site.harm_ended()
        await broker.kill()
        await asyncio.sleep(rng.uniform(5, 15))
        await broker.start()
        await _until_whole(site)


@dataclass(frozen=True)
class WipeOneOfThree:
    """SIGKILL, and all that it had is gone; it has to get everything from the other two."""

    name: str = "take the disk of one of three"
    kind: str = "wipe-one-of-three"
    layout: Layout = on_three_brokers
    wanted: Wanted = Wanted.AFTER_A_BROKER

    async def inject(self, site: Site, rng: Random) -> None:
        """When it has everything again, one of those that had lost nothing is killed: now the copies count."""
        wiped, other = rng.sample(_nodes(site), 2)
        await wiped.kill()
        wiped.wipe()
        await asyncio.sleep(rng.uniform(0, 5))
        await wiped.start()
        await _until_whole(site)
        site.harm_ended()
        await other.kill()
        await asyncio.sleep(rng.uniform(5, 10))
        await other.start()
        await _until_whole(site)


@dataclass(frozen=True)
class RollBrokers:
    """One after the other is stopped and started, each when all replicas are in sync again."""

    name: str = "restart three brokers in turn"
    kind: str = "rolling-brokers"
    layout: Layout = on_three_brokers
    wanted: Wanted = Wanted.AFTER_A_BROKER

    async def inject(self, site: Site, rng: Random) -> None:
        """Progress is expected from the last stop on."""
        for broker in rng.sample(_nodes(site), len(_nodes(site))):
            site.harm_ended()
            await broker.stop()
            await broker.start()
            await _until_whole(site)


@dataclass(frozen=True)
class KillTwoOfThree:
    """One replica alone takes nothing: outboxes wait until a second is back."""

    name: str = "kill two of three brokers"
    kind: str = "kill-two-of-three"
    layout: Layout = on_three_brokers
    wanted: Wanted = Wanted.AFTER_A_BROKER

    async def inject(self, site: Site, rng: Random) -> None:
        """Progress is expected from the moment in which the first of them is started again."""
        first, second = rng.sample(_nodes(site), 2)
        await asyncio.gather(first.kill(), second.kill())
        await asyncio.sleep(rng.uniform(3, 8))
        site.harm_ended()
        await first.start()
        await second.start()
        await _until_whole(site)


def _nodes(site: Site) -> list[Node]:
    return [broker for broker in site.servers.brokers if isinstance(broker, Node)]


async def _until_whole(site: Site) -> None:
    """Wait until every partition has three replicas in sync."""
    await until_in_sync(site.settings.kafka, *(site.settings.kafka_prefix + topic for topic in TOPICS))


FAULTS: Faults = (KillOneOfThree(), WipeOneOfThree(), RollBrokers(), KillTwoOfThree())
