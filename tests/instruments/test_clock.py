"""A clock steps in a running process, and time limits do not notice."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.instruments.clock import SteppingClock

# Answers each line with its wall clock, its monotonic clock, and its idea of now as a date.
_CLERK = """
import sys, time, datetime
for _ in sys.stdin:
    print(time.time(), time.monotonic(), datetime.datetime.now(datetime.UTC).timestamp(), flush=True)
"""
HOUR = 3600
NEAR = 60
"""Seconds that a question may take on a busy machine."""


class Clerk:
    """A process that can be asked for the time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def away(self) -> tuple[float, float, float]:
        """How far its clocks are from ours: wall, monotonic, date."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        wall, monotonic, date = map(float, (await self._process.stdout.readline()).split())
        return wall - time.time(), monotonic - time.monotonic(), date - time.time()


@asynccontextmanager
async def a_clerk(clock: SteppingClock) -> AsyncIterator[Clerk]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _CLERK, env=os.environ | dict(clock.environment), stdin=PIPE, stdout=PIPE
    )
    yield Clerk(process)
    process.kill()
    await process.communicate()


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_running_process_sees_its_clock_step_and_its_monotonic_clock_go_on(tmp_path: Path, hours: int) -> None:
    clock = SteppingClock(tmp_path / "clock")
    async with a_clerk(clock) as clerk:
        assert await clerk.away() == pytest.approx((0, 0, 0), abs=NEAR)
        clock.step(timedelta(hours=hours))
        assert await clerk.away() == pytest.approx((hours * HOUR, 0, hours * HOUR), abs=NEAR)
        clock.step(timedelta())
        assert await clerk.away() == pytest.approx((0, 0, 0), abs=NEAR)


async def test_two_clocks_are_apart(tmp_path: Path) -> None:
    first, second = SteppingClock(tmp_path / "first"), SteppingClock(tmp_path / "second")
    first.step(timedelta(hours=1))
    async with a_clerk(first) as early, a_clerk(second) as right:
        assert (await early.away())[0] == pytest.approx(HOUR, abs=NEAR)
        assert (await right.away())[0] == pytest.approx(0, abs=NEAR)
