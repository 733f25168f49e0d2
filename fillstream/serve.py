"""How do services run in a process? Each with its parts, all behind one port, until a signal or a part that ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from socket import AF_INET, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, socket
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from fillstream.contexts import Context
from fillstream.gateway import gateway
from fillstream.installation import Installation
from libs.kit.errors import Fatal, FillstreamError
from libs.kit.health import Probe
from libs.kit.logging import logger
from libs.kit.service import Service
from libs.kit.settings import Settings

log = logger(__name__)
_STOP_SECONDS = 15


Stopper = Callable[[asyncio.Event], AbstractAsyncContextManager[None]]
"""Sets an event when the process has to stop."""


class PortTaken(FillstreamError):
    """Another program listens at the address."""


@dataclass(frozen=True)
class Serving:
    """Services at work at an address."""

    services: Sequence[Service]
    url: str
    stopped: asyncio.Event

    async def until_ended(self) -> None:
        """Wait for a stop. Raises Fatal when a part of a service ends by itself."""
        probes = _named_probes(self.services)
        stop = asyncio.create_task(self.stopped.wait())
        await asyncio.wait({stop, *(probe.task for probe in probes if probe.task)}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        for probe in probes:
            if probe.task is not None and probe.task.done():
                error = probe.task.exception()
                raise Fatal(f"the {probe.name} has ended: {error!r}") from error


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: they are the process's, whose services drain before it goes."""
        yield


@asynccontextmanager
async def listening(app: ASGIApp, listener: socket) -> AsyncIterator[None]:
    """Serve an app on a bound socket; at the end, let open requests finish."""
    config = uvicorn.Config(
        app,
        log_config=None,
        lifespan="off",
        timeout_graceful_shutdown=_STOP_SECONDS,
        server_header=False,
        # It would believe what anybody on this machine says; the kit looks at `trusted_proxies`.
        proxy_headers=False,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve([listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task


def bind(host: str, port: int) -> socket:
    """A listening socket at the address; port 0 takes a free one. Raises PortTaken."""
    listener = socket(AF_INET, SOCK_STREAM)
    listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # From now on connections wait for the server instead of being refused.
        listener.listen()
    except OSError as error:
        listener.close()
        raise PortTaken(f"{host}:{port} can't be listened at: {error.strerror or error}") from error
    return listener


@asynccontextmanager
async def serving(contexts: Sequence[Context], where: Installation) -> AsyncIterator[Serving]:
    """Run the contexts in this process, behind one port, until the body ends. Raises PortTaken."""
    settings = where.settings(Settings)
    listener = bind(settings.http_host, settings.http_port)
    host, port = listener.getsockname()[:2]
    url = f"http://{host}:{port}"
    parts = [context.service(where.of(context, **_own_addresses(contexts, where, url))) for context in contexts]
    async with _together(parts) as services:
        backends = {service.name: service.http for service in services}
        app = gateway(contexts, backends, [service.http.state.db for service in services], _named_probes(services))
        async with listening(app, listener):
            log.info("serving", contexts=[context.name for context in contexts], url=url)
            try:
                yield Serving(services, url, asyncio.Event())
            finally:
                for service in services:
                    service.drain()


@asynccontextmanager
async def _together(parts: Sequence[AbstractAsyncContextManager[Service]]) -> AsyncIterator[list[Service]]:
    """Start services at the same time, each in a task of its own, and stop them at the same time."""
    stop = asyncio.Event()
    ready: list[asyncio.Future[Service]] = [asyncio.get_running_loop().create_future() for _ in parts]
    tasks = [asyncio.create_task(_hold(part, started, stop)) for part, started in zip(parts, ready, strict=True)]
    try:
        # A service that can't start ends its task, and the future that it was to fill stays empty.
        for started, task in zip(ready, tasks, strict=True):
            either: set[asyncio.Future[Any]] = {started, task}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
        yield [started.result() for started in ready]
    finally:
        stop.set()
        for task, started in zip(tasks, ready, strict=True):
            if not started.done():
                task.cancel()
        for error in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(error, Exception):
                raise error


async def _hold(
    part: AbstractAsyncContextManager[Service], started: asyncio.Future[Service], stop: asyncio.Event
) -> None:
    """Run one service until `stop`."""
    async with part as service:
        started.set_result(service)
        await stop.wait()


def _named_probes(services: Sequence[Service]) -> list[Probe]:
    """The parts of all services, by names that tell whose they are."""
    return [replace(probe, name=f"{service.name} {probe.name}") for service in services for probe in service.probes]


def _own_addresses(contexts: Sequence[Context], where: Installation, url: str) -> dict[str, object]:
    """Where auth is in this process, its keys are here, whatever port was free; and its clients, unless told otherwise."""
    if not any(context.name == "auth" for context in contexts):
        return {}
    given = where.settings(Settings).model_fields_set
    keys: dict[str, object] = {} if "jwks_url" in where.values else {"jwks_url": f"{url}/.well-known/jwks.json"}
    return keys if "public_url" in given else {**keys, "public_url": url}


@asynccontextmanager
async def stopping_on_signals(stopped: asyncio.Event) -> AsyncIterator[None]:
    """Set `stopped` on SIGTERM and SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@asynccontextmanager
async def stopping_on_end_of_input(stopped: asyncio.Event) -> AsyncIterator[None]:
    """Set `stopped` when whoever holds the other end of the standard input is gone, however it went."""
    loop = asyncio.get_running_loop()
    source = sys.stdin.fileno()

    def look() -> None:
        if not os.read(source, 1):
            loop.remove_reader(source)
            stopped.set()

    loop.add_reader(source, look)
    try:
        yield
    finally:
        loop.remove_reader(source)
