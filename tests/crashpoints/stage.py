"""Where do runs take place? One service in a process that may die, all others in one that stays, clients at their doors.

The servers start once. A batch of runs shares a database, topics and the process with the other services; each run has a
workspace, symbols and keys of its own, so that nothing of one run makes good what another one lost, while the checker looks
at all of them. A database and topics for each run would cost a second and leave the broker with thousands of partitions;
one database for all runs would make the checker slower and slower. After a violation the next run has a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
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
from fillstream.inflight import InFlight, watch_in_flight
from fillstream.installation import Installation
from libs.kit.kafka import admin, producer
from libs.kit.settings import Settings
from tests.crashpoints.client import Client, Doors
from tests.crashpoints.crossings import Journal, Point
from tests.crashpoints.groups import bury_members
from tests.crashpoints.launcher import Life, begin
from tests.crashpoints.servers import Servers, free_port

_KILLED = -9
_lives = count(1)


@dataclass(eq=False)
class Victim:
    """The service under test through its lives: the first is counted and may be cut short, the next one is not."""

    stage: Stage
    journal_path: Path
    deadly: Point | None
    process: ForkServerProcess
    ended_by_itself: int | None = None
    """The status with which a life ended that nobody had cut short."""

    @property
    def journal(self) -> Journal:
        """What its first life crossed."""
        return Journal.read(self.journal_path) if self.journal_path.exists() else Journal({}, None)

    async def keep_alive(self) -> None:
        """Start it again once it was killed; until cancelled."""
        await self._watch()
        if self.process.exitcode != _KILLED:
            self.ended_by_itself = self.process.exitcode
        await self.stage.bury(self.process)
        self.process = begin(self.stage.zygote, Life([self.stage.service], self.stage.own, self.stage.log))
        await self._watch()
        self.ended_by_itself = self.process.exitcode

    async def _watch(self) -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self.process.sentinel, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self.process.sentinel)
        self.process.join()


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
    database: asyncpg.Connection[asyncpg.Record]
    in_flight: InFlight
    producer: AIOKafkaProducer
    admin: AIOKafkaAdminClient
    contexts: tuple[Context, ...] = field(default_factory=lambda: tuple(load_all()))

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

    @asynccontextmanager
    async def victim(self, deadly: Point | None) -> AsyncIterator[Victim]:
        """The service under test at work, killed at a point if it gets there and then started again."""
        journal = self.folder / f"{self.service}.{next(_lives)}.journal"
        process = begin(self.zygote, Life([self.service], self.own, self.log, journal, deadly))
        victim = Victim(self, journal, deadly, process)
        keeping = asyncio.create_task(victim.keep_alive())
        try:
            yield victim
        finally:
            keeping.cancel()
            await asyncio.wait({keeping})
            await self.bury(victim.process)


@asynccontextmanager
async def stage(service: str, servers: Servers, zygote: ForkServerContext) -> AsyncIterator[Stage]:
    """An installation of its own, with all services but one at work."""
    others = [name for name in names() if name != service]
    ports = {service: free_port(), "others": free_port()}
    doors = Doors({name: f"http://127.0.0.1:{ports.get(name, ports['others'])}" for name in names()})
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(servers.installation())
        where = made.with_values(jwks_url=f"{doors.urls['auth']}/.well-known/jwks.json")
        settings = where.settings(Settings)
        log = servers.folder / f"{settings.kafka_prefix}log"
        values = dict(where.values)
        rest = begin(zygote, Life(others, values | {"http_port": ports["others"]}, log))
        stack.callback(rest.kill)
        database = await asyncpg.connect(settings.database_url.get_secret_value())
        stack.push_async_callback(database.close)
        yield Stage(
            service=service,
            where=where,
            own=values | {"http_port": ports[service]},
            log=log,
            folder=servers.folder,
            zygote=zygote,
            client=Client(await stack.enter_async_context(httpx2.AsyncClient(trust_env=False, timeout=30)), doors),
            database=database,
            in_flight=await stack.enter_async_context(watch_in_flight(load_all(), settings)),
            producer=await stack.enter_async_context(producer(settings.kafka, "crashpoints")),
            admin=await stack.enter_async_context(admin(settings.kafka)),
        )
