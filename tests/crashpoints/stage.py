"""Where do runs take place? One service in a process that may die, all others in one that stays, clients at their doors.

The servers start once. A batch of runs shares a database, topics and the process with the other services; each run has a
workspace, symbols and keys of its own, so that nothing of one run makes good what another one lost, while the checker looks
at all of them. A database and topics for each run would cost a second and leave the broker with thousands of partitions;
one database for all runs would make the checker slower and slower. After a violation the next run has a new one.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import asyncpg
import httpx2
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from fillstream.contexts import Context, load_all, names
from fillstream.inflight import InFlight, NeverQuiet, watch_in_flight
from fillstream.installation import Installation
from libs.kit.db import Database, database
from libs.kit.kafka import admin, producer
from libs.kit.settings import Settings
from tests.crashpoints.client import Client, Doors
from tests.crashpoints.crossings import Journal, Point, Prompter
from tests.crashpoints.groups import bury_members
from tests.crashpoints.launcher import Life, Trap, begin
from tests.crashpoints.servers import Servers, free_port

_PATIENCE_SECONDS = 120.0
_AGAIN_SECONDS = 0.03
_victims = count(1)


@dataclass(eq=False)
class Victim:
    """The service under test through its lives: killed at each point that it gets to, and started again each time."""

    stage: Stage
    number: int
    deadly: frozenset[Point]
    act: int = 1
    """The one that is on."""
    ended_by_itself: int | None = None
    """The status with which a life ended that nobody had cut short."""
    _lives: list[ForkServerProcess] = field(default_factory=list)

    def begin_act(self, act: int) -> None:
        """From now on crossings belong to this act."""
        self.act = act
        self._prompter.announce(act)

    async def live(self) -> None:
        """Start it, and again each time that it was killed; until cancelled."""
        while self.ended_by_itself is None:
            died_at = {journal.died_at for journal in self.journals()}
            trap = Trap(self._journal(len(self._lives)), self._prompter, self.deadly - died_at)
            self._lives.append(self.stage.begin(trap))
            await _end_of(self._lives[-1])
            if self._lives[-1].exitcode != -signal.SIGKILL:
                self.ended_by_itself = self._lives[-1].exitcode
            await self.stage.bury(self._lives[-1])

    def journals(self) -> list[Journal]:
        """What each life crossed."""
        return [Journal.read(self._journal(life)) for life in range(len(self._lives)) if self._journal(life).exists()]

    async def end(self) -> None:
        """Kill it for good."""
        await self.stage.bury(self._lives[-1])

    @property
    def _prompter(self) -> Prompter:
        return Prompter(self.stage.folder / f"{self.number}.act")

    def _journal(self, life: int) -> Path:
        return self.stage.folder / f"{self.number}.{life}.journal"


async def _end_of(process: ForkServerProcess) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(process.sentinel, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(process.sentinel)
    process.join()


@dataclass(eq=False)
class Stage:
    """An installation with one service set apart."""

    service: str
    where: Installation
    own: dict[str, object]
    """Values of the installation for the service under test."""
    log: Path
    folder: Path
    zygote: ForkServerContext
    client: Client
    connection: asyncpg.Connection[asyncpg.Record]
    in_flight: InFlight
    producer: AIOKafkaProducer
    admin: AIOKafkaAdminClient
    databases: Mapping[str, Database]
    """Of each context, for what operators do."""
    contexts: Sequence[Context]

    @property
    def settings(self) -> Settings:
        """Of the installation."""
        return self.where.settings(Settings)

    async def bury(self, process: ForkServerProcess) -> None:
        """Kill a process if it lives, and tell the broker of it."""
        process.kill()
        await asyncio.to_thread(process.join)
        group = self.settings.kafka_prefix + self.service
        if any(context.name == self.service and context.topics() for context in self.contexts):
            await bury_members(self.admin, group)

    def begin(self, trap: Trap) -> ForkServerProcess:
        """Start the service under test."""
        return begin(self.zygote, Life([self.service], self.own, self.log, trap))

    async def rest(self) -> None:
        """Wait until nothing is in flight. Raises NeverQuiet."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return await self.in_flight.wait_until_none(timeout_seconds=0)
            except NeverQuiet:
                if time.monotonic() > deadline:
                    raise
            # Seldom, so that to look does not take the time of those who work.
            await asyncio.sleep(_AGAIN_SECONDS)

    @asynccontextmanager
    async def victim(self, deadly: frozenset[Point]) -> AsyncIterator[Victim]:
        """The service under test at work, killed at points when it gets there and started again each time."""
        victim = Victim(self, next(_victims), deadly)
        # The start belongs to the first act.
        victim.begin_act(1)
        living = asyncio.create_task(victim.live())
        try:
            yield victim
        finally:
            living.cancel()
            await asyncio.wait({living})
            await victim.end()


@asynccontextmanager
async def stage(service: str, servers: Servers, zygote: ForkServerContext) -> AsyncIterator[Stage]:
    """An installation of its own, with all services but one at work."""
    others = [name for name in names() if name != service]
    ports = {service: free_port(), "others": free_port()}
    doors = Doors({name: f"http://127.0.0.1:{ports.get(name, ports['others'])}" for name in names()})
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(servers.installation())
        auth = doors.urls["auth"]
        where = made.with_values(jwks_url=f"{auth}/.well-known/jwks.json", public_url=auth)
        settings = where.settings(Settings)
        log = servers.folder / f"{settings.kafka_prefix}log"
        values = dict(where.values)
        rest = begin(zygote, Life(others, values | {"http_port": ports["others"]}, log))
        stack.callback(rest.kill)
        connection = await asyncpg.connect(settings.database_url.get_secret_value())
        stack.push_async_callback(connection.close)
        yield Stage(
            service=service,
            where=where,
            own=values | {"http_port": ports[service]},
            log=log,
            folder=servers.folder,
            zygote=zygote,
            client=Client(await stack.enter_async_context(httpx2.AsyncClient(trust_env=False, timeout=30)), doors),
            connection=connection,
            in_flight=await stack.enter_async_context(watch_in_flight(load_all(), settings)),
            producer=await stack.enter_async_context(producer(settings.kafka, "crashpoints")),
            admin=await stack.enter_async_context(admin(settings.kafka)),
            databases={
                context.name: await stack.enter_async_context(database(where.of(context), context.name))
                for context in load_all()
            },
            contexts=load_all(),
        )
