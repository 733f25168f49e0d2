"""How does a process of a service live on a site? As its orchestrator would have it: who dies is started again."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from fillstream.supervise import ServiceDied, ServiceProcess
from libs.kit.cancellation import end

_RESTART_SECONDS = 0.2


@dataclass(frozen=True, order=True)
class Place:
    """Which process: the replica of a context, counted from 1."""

    context: str
    replica: int = 1

    def __str__(self) -> str:
        """As in log files: `orders-1`."""
        return f"{self.context}-{self.replica}"


@dataclass(eq=False)
class Process:
    """One process at a place. Killed or ended by itself it is started again; stopped it stays down."""

    place: Place
    url: str
    log: Path
    environment: Mapping[str, str] = field(repr=False)
    """All of its `FILLSTREAM_*` variables, and others such as `LD_PRELOAD`."""
    restarts: int = 0
    """How often the supervisor had to start it again."""
    _service: ServiceProcess | None = None
    _supervisor: asyncio.Task[None] | None = None

    @property
    def wanted(self) -> bool:
        """Whether it is meant to run."""
        return self._supervisor is not None

    @property
    def pid(self) -> int:
        """Its process id. Raises ServiceDied when it has none."""
        if self._service is None or self._service.pid is None:
            raise ServiceDied(f"{self.place} does not run; its log is {self.log}")
        return self._service.pid

    async def start(self, environment: Mapping[str, str] | None = None) -> None:
        """Run it, from now on with another environment if one is given; it is not ready yet."""
        if environment is not None:
            self.environment = environment
        await self._spawn()
        self._supervisor = asyncio.create_task(self._supervise(), name=f"supervisor-{self.place}")

    async def until_ready(self) -> None:
        """Wait until `/readyz` is green. Raises ServiceDied."""
        if self._service is not None:
            await self._service.until_ready()

    def kill(self) -> None:
        """SIGKILL; the supervisor starts it again."""
        self.signal(signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP: it keeps all that it holds and does nothing, until `thaw`."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self.signal(signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal. Raises ServiceDied when there is no process."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    async def stop(self) -> None:
        """Let it drain and end, and stay down."""
        await self._unsupervise()
        if self._service is not None:
            await self._service.stop()

    async def end(self) -> None:
        """SIGKILL, and stay down."""
        await self._unsupervise()
        if self._service is not None:
            await self._service.kill()

    async def _spawn(self) -> None:
        url, place = self.url, self.place
        self._service = ServiceProcess(place.context, url, self.log, dict(self.environment))
        await self._service.start()

    async def _supervise(self) -> None:
        while True:
            if self._service is not None:
                with suppress(ServiceDied):
                    await self._service.until_dead()
            await asyncio.sleep(_RESTART_SECONDS)
            self.restarts += 1
            await self._spawn()

    async def _unsupervise(self) -> None:
        if self._supervisor is not None:
            await end(self._supervisor)
            self._supervisor = None
