"""How does all of Fillstream run on one machine? Servers, services and one address, in one process or in many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx2

from fillstream.contexts import load_all
from fillstream.gateway import gateway
from fillstream.installation import Installation
from fillstream.proxy import forwarding_to
from fillstream.serve import bind, listening, serving
from fillstream.supervise import ServiceDied, ServiceProcess, processes, stop_all
from libs.kit.health import Probe
from libs.kit.settings import Settings


@dataclass(frozen=True)
class Up:
    """All services at work."""

    installation: Installation
    url: str
    until_ended: Callable[[], Awaitable[None]]
    stopped: asyncio.Event
    children: dict[str, ServiceProcess] = field(default_factory=dict)
    """The services' processes, where each has its own."""


Runner = Callable[[Installation, Path], AbstractAsyncContextManager[Up]]


@asynccontextmanager
async def in_one_process(where: Installation, _logs: Path) -> AsyncIterator[Up]:
    """All services in this process."""
    async with serving(load_all(), where) as running:
        yield Up(where, running.url, running.until_ended, running.stopped)


@asynccontextmanager
async def in_many_processes(where: Installation, logs: Path) -> AsyncIterator[Up]:
    """Each service in a process of its own, and the gateway in this one."""
    contexts = load_all()
    settings = where.settings(Settings)
    stopped = asyncio.Event()
    async with AsyncExitStack() as stack:
        listener = bind(settings.http_host, settings.http_port)
        host, port = listener.getsockname()[:2]
        url = f"http://{host}:{port}"
        told = where if "public_url" in settings.model_fields_set else where.with_values(public_url=url)
        children = await stack.enter_async_context(processes(contexts, told, logs))
        client = await stack.enter_async_context(httpx2.AsyncClient(trust_env=False, timeout=30))
        backends = {name: forwarding_to(child.url, client) for name, child in children.items()}
        probes = [Probe(name, partial(child.check, client)) for name, child in children.items()]
        await stack.enter_async_context(listening(gateway(contexts, backends, [], probes), listener))
        # First of all at the end: services that have stopped hold no stream open in the gateway.
        stack.push_async_callback(stop_all, children.values())
        yield Up(where, url, partial(_until_ended, stopped, children), stopped, children)


async def _until_ended(stopped: asyncio.Event, children: Mapping[str, ServiceProcess]) -> None:
    """Wait for a stop. Raises ServiceDied when a service's process ends by itself."""
    stop = asyncio.create_task(stopped.wait())
    ends = [asyncio.create_task(child.until_dead()) for child in children.values()]
    await asyncio.wait({stop, *ends}, return_when=asyncio.FIRST_COMPLETED)
    for task in (stop, *ends):
        task.cancel()
    for error in await asyncio.gather(stop, *ends, return_exceptions=True):
        if isinstance(error, ServiceDied):
            raise error
