"""How does a benchmark run a server in a process of its own? Until it listens, and no longer than the benchmark."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
import psutil

from bench.stage import Stage
from fillstream.serve import bind

_START_SECONDS = 180.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Served:
    """A server in a process of its own."""

    url: str
    pid: int
    seconds: float
    """From its start until it was ready."""

    def resident_megabytes(self) -> float:
        """The memory of the process and of all that it started, shared pages counted in parts (PSS)."""
        process = psutil.Process(self.pid)
        return sum(one.memory_full_info().pss for one in (process, *process.children(recursive=True))) / 2**20

    def processor_seconds(self) -> float:
        """What the process has computed so far, without those that it started."""
        return _computed(psutil.Process(self.pid))

    def helper_seconds(self) -> float:
        """What the processes that it started have computed so far."""
        return sum(_computed(helper) for helper in psutil.Process(self.pid).children())


def _computed(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@asynccontextmanager
async def served(
    place: Stage, *arguments: str, environment: Mapping[str, str], ready: str = "/readyz", niceness: int = 0
) -> AsyncIterator[Served]:
    """Run `python -m ARGUMENTS` with the stage's servers and a free port, both in its environment."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    given = place.where.environment() | environment | {"FILLSTREAM_HTTP_PORT": str(port)}
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        "nice", "-n", str(niceness), sys.executable, "-m", *arguments, env=os.environ | given
    )
    try:
        await _until_ready(process, url + ready)
        yield Served(url, process.pid, time.perf_counter() - started)
    finally:
        await _end(process)


@asynccontextmanager
async def computing(processes: int, *, niceness: int) -> AsyncIterator[None]:
    """So many processes that compute all of the time."""
    endless = "while True: pass"
    command = ("nice", "-n", str(niceness), sys.executable, "-c", endless)
    busy = [await asyncio.create_subprocess_exec(*command) for _ in range(processes)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            await process.wait()


def _free_port() -> int:
    with bind("127.0.0.1", 0) as listener:
        return int(listener.getsockname()[1])


async def _until_ready(process: asyncio.subprocess.Process, url: str) -> None:
    async with httpx2.AsyncClient(trust_env=False, timeout=2) as client, asyncio.timeout(_START_SECONDS):
        while not await _answers(client, url):
            if process.returncode is not None:
                raise RuntimeError(f"the server at {url} ended at its start")
            await asyncio.sleep(_POLL_SECONDS)


async def _answers(client: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).is_success
    except httpx2.HTTPError:
        return False


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
