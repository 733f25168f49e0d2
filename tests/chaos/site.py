"""What is harmed? An installation: servers, each service as processes of its own, and the real gateway before them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx2

from fillstream.contexts import load_all, names
from fillstream.embedded.ports import choose_port
from fillstream.inflight import watch_in_flight
from fillstream.installation import Installation, prepare
from libs.kit.settings import Settings
from tests.chaos.client import Failure
from tests.chaos.envoy import Gateway, running_gateway
from tests.chaos.process import Place, Process
from tests.chaos.servers import Servers
from tests.keysets import keyset_url
from tests.world import PATIENCE_SECONDS, eventually

__all__ = ["REPLICAS", "Place", "Site", "open_site"]

REPLICAS = 2
"""How many places each context has; the first runs from the beginning, others when a fault starts them."""
_READY_SECONDS = 90.0
_QUIET_SECONDS = 60.0
_SETTINGS: Mapping[str, object] = {
    "orders_venue_timeframe": "1m",
    # Valued at closes that lie in the past, a fill changes few of them.
    "portfolio_mark_timeframe": "5m",
    "encryption_key_url": keyset_url(),
    "mail_token_secret": "not much of a secret, but a long one",
    # A clock that jumps by an hour ends no session.
    "access_token_seconds": 86_400,
    "auth_erasure_closing_seconds": 86_400,
    "auth_key_overlap_seconds": 86_400,
    "stall_seconds": 10,
    # Orders have the time of the clock, so the bars that fill them are yet to come.
    "marketdata_bar_skew_seconds": 86_400,
    # The crowd comes from one address.
    "rate_limit_scale": 1_000,
    "log_level": "WARNING",
}


@dataclass(eq=False)
class Site:
    """Servers and services that can be harmed one by one."""

    where: Installation = field(repr=False)
    """As the administrator comes to the servers, past their links."""
    served: Installation = field(repr=False)
    """As services come to them."""
    servers: Servers
    processes: Mapping[Place, Process]
    """Every place; the process of a place need not run."""
    gateway: Gateway
    folder: Path
    """Logs are in `logs`; the rest of it is free."""
    failures: list[Failure] = field(default_factory=list)
    """Attempts of clients that came to nothing through the gateway."""
    harm_ended_at: float = 0.0
    """`time.monotonic()` from which progress is expected."""

    @property
    def url(self) -> str:
        """The gateway's address, where clients go."""
        return self.gateway.url

    @property
    def settings(self) -> Settings:
        """How the administrator reaches the servers, as checkers want it."""
        return self.where.settings(Settings)

    @property
    def contexts(self) -> list[str]:
        """The names of all contexts."""
        return names()

    @property
    def running(self) -> list[Process]:
        """The processes that are meant to run."""
        return [process for process in self.processes.values() if process.wanted]

    def at(self, context: str, replica: int = 1) -> Process:
        """The process of a place; `freeze`, `thaw`, `kill`, `stop` and `start` are its own."""
        return self.processes[Place(context, replica)]

    def harm_ended(self) -> None:
        """Say that the harm is undone, and that progress is expected from now on."""
        self.harm_ended_at = time.monotonic()

    def environment(self, place: Place, **changes: object) -> dict[str, str]:
        """The variables of a process; `changes` are settings, by the names of their fields."""
        port = self.processes[place].url.rpartition(":")[2]
        return self.served.with_values(http_port=port, **changes).environment()

    async def start(self, context: str, replica: int = 1, **settings: object) -> Process:
        """Run a process, with other settings if they are given, and wait until it is ready."""
        process = self.at(context, replica)
        await process.start(self.environment(process.place, **settings))
        await process.until_ready()
        return process

    async def restart(
        self, context: str, replica: int = 1, variables: Mapping[str, str] | None = None, **settings: object
    ) -> Process:
        """Stop a process gracefully and run it again, with other settings and variables (`FAKETIME`, ...) if given."""
        process = self.at(context, replica)
        await process.stop()
        await process.start(self.environment(process.place, **settings) | dict(variables or {}))
        await process.until_ready()
        return process

    async def restore(self) -> None:
        """Run the first replica of each context and no other, whatever a fault that failed has left."""
        for process in self.processes.values():
            first = process.place.replica == 1
            if first and not process.wanted:
                await process.start(self.environment(process.place))
            elif not first and process.wanted:
                await process.end()

    async def is_ready(self, process: Process) -> bool:
        """Whether `/readyz` of a process is green now."""
        async with httpx2.AsyncClient(trust_env=False, timeout=5) as client:
            try:
                return (await client.get(f"{process.url}/readyz")).status_code == httpx2.codes.OK
            except httpx2.HTTPError:
                return False

    async def until_all_ready(self) -> None:
        """Wait until every process that is meant to run is ready. Raises AssertionError after a minute and a half."""

        async def ready() -> None:
            answers = await asyncio.gather(*(self.is_ready(process) for process in self.running))
            missing = [str(one.place) for one, answer in zip(self.running, answers, strict=True) if not answer]
            assert not missing, f"not ready: {', '.join(missing)}"

        await eventually(ready, patience=_READY_SECONDS)

    async def until_quiet(self) -> None:
        """Wait until nothing is in flight. Raises NeverQuiet."""
        async with watch_in_flight(load_all(), self.settings) as in_flight:
            await in_flight.wait_until_none(_QUIET_SECONDS)

    @asynccontextmanager
    async def administrator(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """A connection to the database as its superuser, past the link."""
        connection = await asyncpg.connect(self.settings.database_url.get_secret_value(), timeout=PATIENCE_SECONDS)
        try:
            yield connection
        finally:
            await connection.close()

    async def fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """Ask the database as its superuser."""
        async with self.administrator() as connection:
            return await connection.fetch(sql, *arguments)


@asynccontextmanager
async def open_site(servers: Servers, folder: Path) -> AsyncIterator[Site]:
    """Services and gateway on these servers, one replica of each context, ready when given."""
    logs = folder / "logs"
    await asyncio.to_thread(logs.mkdir, parents=True, exist_ok=True)
    where = Installation(
        {**_SETTINGS, "database_url": servers.database_url, "kafka_bootstrap": servers.kafka_bootstrap}
    ).with_values(**servers.settings)
    await prepare(where)
    places = [Place(name, replica) for name in names() for replica in range(1, REPLICAS + 1)]
    urls = {place: f"http://127.0.0.1:{choose_port(folder / 'ports.json', str(place))}" for place in places}
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(running_gateway(_addresses(urls), folder))
        served = where.with_values(
            database_url=servers.served_database_url or servers.database_url,
            kafka_bootstrap=servers.served_kafka_bootstrap or servers.kafka_bootstrap,
            jwks_url=f"{gateway.url}/.well-known/jwks.json",
            public_url=gateway.url,
        )
        processes = {place: Process(place, urls[place], logs / f"{place}.log", {}) for place in places}
        site = Site(where, served, servers, processes, gateway, folder)
        stack.push_async_callback(_end_all, processes.values())
        await asyncio.gather(*(site.start(name) for name in names()))
        await gateway.until_routed(names())
        yield site


def _addresses(urls: Mapping[Place, str]) -> dict[str, list[int]]:
    ports: dict[str, list[int]] = {}
    for place, url in urls.items():
        ports.setdefault(place.context, []).append(int(url.rpartition(":")[2]))
    return ports


async def _end_all(processes: Iterable[Process]) -> None:
    await asyncio.gather(*(process.end() for process in processes))
