"""`fillstream` as its users run it: a process of its own, with the environment that it is given and nothing of ours."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import psutil

from tests.world import eventually

ROOT = Path(__file__).parents[2]
_PATIENCE_SECONDS = 120
"""A command imports for seconds before it begins, and others may keep the cores busy."""


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    status: int
    out: str
    err: str
    seconds: float


def environment(changes: Mapping[str, str]) -> dict[str, str]:
    """What a process is given: the caller's environment without Fillstream's variables, and the changes."""
    kept = {name: value for name, value in os.environ.items() if not re.match("FILLSTREAM_(?!CACHE)", name)}
    return kept | {"PYTHONPATH": str(ROOT)} | changes


async def fillstream(*arguments: str, within: float = _PATIENCE_SECONDS, typed: str = "", **changes: str) -> Done:
    """Run a command to its end; `typed` is what comes from its standard input."""
    started = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "fillstream", *arguments, env=environment(changes), cwd="/", stdin=PIPE, stdout=PIPE,
        stderr=PIPE,
    )  # fmt: skip
    try:
        out, err = await asyncio.wait_for(process.communicate(typed.encode()), within)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Done(process.returncode or 0, out.decode(), err.decode(), time.monotonic() - started)


@dataclass
class Program:
    """A command that goes on."""

    process: Process
    log: Path
    children: list[psutil.Process] = field(default_factory=list)

    @property
    def said(self) -> str:
        """All that it printed until now."""
        return self.log.read_text()

    async def says(self, pattern: str) -> str:
        """Wait until it has printed something, and give the pattern's group."""

        async def printed() -> str:
            found = re.search(pattern, self.said)
            assert found or self.process.returncode is None, f"it ended with {self.process.returncode}:\n{self.said}"
            assert found, self.said
            return found[1]

        return await eventually(printed, patience=_PATIENCE_SECONDS)

    async def end(self, number: int) -> int:
        """Send a signal, wait for the end, and give the status."""
        self.children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), _PATIENCE_SECONDS)

    async def leaves_nothing(self) -> None:
        """Wait until none of the processes that it had at its end is left."""

        async def nothing_left() -> None:
            left = [child for child in self.children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
            assert not left, left

        await eventually(nothing_left)


@asynccontextmanager
async def running(*arguments: str, log: Path, **changes: str) -> AsyncIterator[Program]:
    """Run a command for as long as the body lasts; killed at the end if it still runs."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "fillstream", *arguments, env=environment(changes), cwd="/",
            stdout=output, stderr=STDOUT,
        )  # fmt: skip
    try:
        yield Program(process, log)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def readiness(url: str) -> int:
    """The status of `/readyz`; 0 when nobody answers."""
    async with httpx2.AsyncClient(trust_env=False, timeout=_PATIENCE_SECONDS) as client:
        try:
            return (await client.get(f"{url}/readyz")).status_code
        except httpx2.HTTPError:
            return 0


async def becomes(url: str, status: int, patience: float = _PATIENCE_SECONDS) -> None:
    """Wait until `/readyz` has a status."""

    async def has() -> None:
        found = await readiness(url)
        assert found == status, f"/readyz answers {found or 'nothing'}"

    await eventually(has, patience=patience)
