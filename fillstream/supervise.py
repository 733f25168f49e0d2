"""How does one machine run a process for each service? Children with the same settings, watched and stoppable."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import httpx2

from fillstream.contexts import Context
from fillstream.installation import Installation
from fillstream.serve import bind
from libs.kit.errors import FillstreamError
from libs.kit.health import ProbeFailed
from libs.kit.settings import Settings

_START_SECONDS = 60.0
_STOP_SECONDS = 25.0
_POLL_SECONDS = 0.05


class ServiceDied(FillstreamError):
    """A service's process ended by itself; the text names it and its log."""


@dataclass
class ServiceProcess:
    """One service in a process of its own."""

    name: str
    url: str
    log: Path
    environment: dict[str, str] = field(repr=False)
    _process: asyncio.subprocess.Process | None = field(default=None)

    async def start(self) -> None:
        """Start the process; it is not ready yet. It stops when this one is gone, and its end of the pipe with it."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "fillstream", "serve", self.name, "--until-input-ends",
                env=os.environ | self.environment, stdin=asyncio.subprocess.PIPE, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    async def until_ready(self) -> None:
        """Wait until `/readyz` is green. Raises ServiceDied."""
        deadline = time.monotonic() + _START_SECONDS
        async with httpx2.AsyncClient(trust_env=False, timeout=2) as client:
            while await self._failure(client) is not None:
                if self._process is None or self._process.returncode is not None:
                    raise ServiceDied(f"{self.name} ended at its start; its log is {self.log}")
                if time.monotonic() > deadline:
                    raise ServiceDied(f"{self.name} is not ready after {_START_SECONDS:.0f} s; its log is {self.log}")
                await asyncio.sleep(_POLL_SECONDS)

    async def until_dead(self) -> NoReturn:
        """Wait for the process to end by itself. Raises ServiceDied when it has."""
        status = None if self._process is None else await self._process.wait()
        raise ServiceDied(f"{self.name} has ended with {status}; its log is {self.log}")

    async def check(self, client: httpx2.AsyncClient) -> None:
        """Ask `/readyz`. Raises ProbeFailed when it is not green."""
        if (failure := await self._failure(client)) is not None:
            raise ProbeFailed(failure)

    async def _failure(self, client: httpx2.AsyncClient) -> str | None:
        try:
            answer = await client.get(f"{self.url}/readyz")
        except httpx2.HTTPError as error:
            return f"the process does not answer: {error!r}"
        return None if answer.status_code == httpx2.codes.OK else answer.text

    async def kill(self) -> None:
        """End the process at once, as a power cut would."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> None:
        """Let the process drain; kill it when that takes too long."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), _STOP_SECONDS)
        except TimeoutError:
            await self.kill()

    @property
    def pid(self) -> int | None:
        """The process's id while it runs."""
        return None if self._process is None else self._process.pid


@asynccontextmanager
async def processes(
    contexts: Sequence[Context], where: Installation, logs: Path
) -> AsyncIterator[dict[str, ServiceProcess]]:
    """Run every context in a process of its own on a free port, ready when given, stopped at the end."""
    await asyncio.to_thread(logs.mkdir, parents=True, exist_ok=True)
    ports = _free_ports(len(contexts))
    urls = {context.name: f"http://127.0.0.1:{port}" for context, port in zip(contexts, ports, strict=True)}
    # Who issues tokens has to have the same name everywhere.
    told = where.settings(Settings).model_fields_set
    issuer: dict[str, object] = {} if "public_url" in told else {"public_url": urls["auth"]}
    children = {
        name: ServiceProcess(
            name,
            url,
            logs / f"{name}.log",
            where.with_values(
                http_port=url.rpartition(":")[2],
                jwks_url=f"{urls['auth']}/.well-known/jwks.json",
                trusted_proxies=_with_our_gateway(where.settings(Settings)),
                **issuer,
            ).environment(),
        )
        for name, url in urls.items()
    }
    try:
        await asyncio.gather(*(child.start() for child in children.values()))
        await asyncio.gather(*(child.until_ready() for child in children.values()))
        yield children
    finally:
        await stop_all(children.values())


async def stop_all(children: Iterable[ServiceProcess]) -> None:
    """Let all processes drain at the same time."""
    await asyncio.gather(*(child.stop() for child in children))


def _with_our_gateway(settings: Settings) -> str:
    """Whom the processes believe about the client: who the gateway believes, and the gateway on this machine."""
    return ",".join(["127.0.0.1", *map(str, settings.trusted_proxies)])


def _free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, each another."""
    listeners = [bind("127.0.0.1", 0) for _ in range(count)]
    ports = [int(listener.getsockname()[1]) for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports
