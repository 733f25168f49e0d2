"""What can happen to a process? It is killed, frozen for longer than its sessions last, or loses its lead."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

import psutil

from fillstream.contexts import names
from tests.chaos.fault import Faults, Wanted
from tests.chaos.process import Place, Process
from tests.chaos.servers import Layout, one_of_each
from tests.chaos.site import Site
from tests.world import eventually

_FROZEN_SECONDS = 8.0
"""Longer than the sessions with the broker (6 s) and with the database (5 s)."""
_ELECTION_SECONDS = 60.0


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


@dataclass(frozen=True)
class FreezeService:
    """SIGSTOP for longer than any session, while a second replica takes over; SIGCONT: a zombie that thinks it leads."""

    context: str
    kind: str = "freeze-service"
    layout: Layout = one_of_each
    wanted: Wanted = Wanted.NOTHING_SAID

    @property
    def name(self) -> str:
        """Whom it freezes."""
        return f"freeze {self.context}"

    async def inject(self, site: Site, rng: Random) -> None:
        """Freeze the first replica in the middle of its work; progress is expected without it."""
        await site.start(self.context, 2)
        await asyncio.sleep(rng.uniform(0, 1))
        site.harm_ended()
        zombie = site.at(self.context)
        zombie.freeze()
        try:
            await asyncio.sleep(_FROZEN_SECONDS + rng.uniform(0, 4))
        finally:
            zombie.thaw()
        # It comes back to what others have done meanwhile.
        await asyncio.sleep(1)
        await site.at(self.context, 2).stop()


@dataclass(frozen=True)
class KillRelayHolder:
    """SIGKILL of whichever replica holds the relay's lock, found by the lock."""

    context: str
    kind: str = "kill-relay-holder"
    layout: Layout = one_of_each
    wanted: Wanted = Wanted.AFTER_A_SERVICE

    @property
    def name(self) -> str:
        """Whose relay it is."""
        return f"kill the holder of {self.context}'s relay"

    async def inject(self, site: Site, rng: Random) -> None:
        """Let two replicas run, and kill the one that relays."""
        await site.start(self.context, 2)
        await asyncio.sleep(rng.uniform(0, 1))
        holder = await eventually(lambda: relay_holder(site, self.context), patience=_ELECTION_SECONDS)
        site.harm_ended()
        holder.kill()
        await eventually(lambda: relay_holder(site, self.context), patience=_ELECTION_SECONDS)
        await site.until_all_ready()
        await site.at(self.context, 2).stop()


async def relay_holder(site: Site, context: str) -> Process:
    """The process whose connection holds the advisory lock. Raises AssertionError when none does."""
    rows = await site.fetch(
        """
        SELECT client_port FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE locktype = 'advisory' AND granted
              AND (classid::bigint << 32) | objid::bigint = hashtextextended($1, 0)
        """,
        f"relay:{context}",
    )
    assert rows, f"nobody relays for {context}"
    holders = _ports(site, context)
    port = rows[0]["client_port"]
    assert port in holders, f"the holder of {context}'s relay is none of ours, or gone: port {port}"
    return site.processes[holders[port]]


def _ports(site: Site, context: str) -> Mapping[int, Place]:
    """Which local port of a connection is whose."""
    return {
        connection.laddr.port: process.place
        for process in site.running
        if process.place.context == context and psutil.pid_exists(process.pid)
        for connection in psutil.Process(process.pid).net_connections("tcp")
        if connection.laddr
    }


FAULTS: Faults = (
    *(KillService(name) for name in names()),
    *(FreezeService(name) for name in names()),
    *(KillRelayHolder(name) for name in ("orders", "portfolio")),
)
