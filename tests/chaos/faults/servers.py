"""What can happen to the servers as processes? They crash and come back with their disks, or have no room for more."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from random import Random

import asyncpg

from fillstream.embedded.postgres import StopMode
from tests.chaos.fault import Faults, PromiseBroken, Wanted
from tests.chaos.servers import Layout, one_of_each
from tests.chaos.site import Site
from tests.world import PATIENCE_SECONDS

_MOST_SLOTS = 1_000
_EXHAUSTED_SECONDS = 6.0


@dataclass(frozen=True)
class KillBroker:
    """SIGKILL, and a start with the same disk."""

    name: str = "kill the broker"
    kind: str = "kill-broker"
    layout: Layout = one_of_each
    wanted: Wanted = Wanted.AFTER_A_BROKER

    async def inject(self, site: Site, rng: Random) -> None:
        """Kill it at any moment, and start it at once: from its death on, progress is expected."""
        await asyncio.sleep(rng.uniform(0, 1))
        broker = rng.choice(site.servers.brokers)
        site.harm_ended()
        await broker.kill()
        await broker.start()


@dataclass(frozen=True)
class BrokerAway:
    """A graceful stop, and a start after a while in which outboxes fill."""

    name: str = "stop the broker for a while"
    kind: str = "broker-away"
    layout: Layout = one_of_each
    wanted: Wanted = Wanted.AFTER_A_BROKER

    async def inject(self, site: Site, rng: Random) -> None:
        """Stop it, and start it after some seconds; from then on progress is expected."""
        broker = rng.choice(site.servers.brokers)
        await broker.stop()
        await asyncio.sleep(rng.uniform(3, 8))
        site.harm_ended()
        await broker.start()


@dataclass(frozen=True)
class StopPostgres:
    """`immediate`: no checkpoint, as in a crash; recovery from the log at the start."""

    name: str = "stop PostgreSQL with immediate"
    kind: str = "postgres-immediate"
    layout: Layout = one_of_each
    wanted: Wanted = Wanted.NOTHING_SAID

    async def inject(self, site: Site, rng: Random) -> None:
        """Stop it at any moment; it is away for up to three seconds."""
        await asyncio.sleep(rng.uniform(0, 1))
        await site.servers.postgres.stop(StopMode.IMMEDIATE)
        await asyncio.sleep(rng.uniform(0, 3))
        site.harm_ended()
        await site.servers.postgres.start()


@dataclass(frozen=True)
class TerminateBackends:
    """`pg_terminate_backend` of every connection of the services, several times."""

    name: str = "terminate all connections"
    kind: str = "terminate-backends"
    layout: Layout = one_of_each
    wanted: Wanted = Wanted.NOTHING_SAID

    async def inject(self, site: Site, rng: Random) -> None:
        """Three times, up to a second apart."""
        for _ in range(3):
            site.harm_ended()
            await site.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'fillstream-%'"
            )
            await asyncio.sleep(rng.uniform(0, 1))


@dataclass(frozen=True)
class ExhaustConnections:
    """Somebody else takes every connection slot; then the services' own connections are lost."""

    name: str = "exhaust the connection slots"
    kind: str = "slots-exhausted"
    layout: Layout = one_of_each
    wanted: Wanted = Wanted.NOTHING_SAID

    async def inject(self, site: Site, rng: Random) -> None:
        """Hold all slots for a while. Raises PromiseBroken when there is no end of them."""
        url = site.settings.database_url.get_secret_value()
        async with AsyncExitStack() as held:
            first = await _connect(held, url)
            await _take_all(held, url)
            await first.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'fillstream-%'"
            )
            await _take_all(held, url)
            await asyncio.sleep(_EXHAUSTED_SECONDS + rng.uniform(0, 2))
            site.harm_ended()


async def _connect(held: AsyncExitStack, url: str) -> asyncpg.Connection[asyncpg.Record]:
    connection = await asyncpg.connect(url, timeout=PATIENCE_SECONDS)
    held.push_async_callback(connection.close)
    return connection


async def _take_all(held: AsyncExitStack, url: str) -> None:
    """Connect until the server has no slot left."""
    for _ in range(_MOST_SLOTS):
        try:
            await _connect(held, url)
        except asyncpg.TooManyConnectionsError:
            return
    raise PromiseBroken(f"the server took {_MOST_SLOTS} connections")


FAULTS: Faults = (KillBroker(), BrokerAway(), StopPostgres(), TerminateBackends(), ExhaustConnections())
