"""A service in a process of its own is watched, and does not outlive whoever watches it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import termios
from array import array
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from fillstream.contexts import load
from fillstream.installation import Installation
from fillstream.serve import stopping_on_end_of_input
from fillstream.supervise import ServiceDied, ServiceProcess, processes
from libs.kit.health import ProbeFailed
from tests.world import PATIENCE_SECONDS, eventually


@pytest.fixture
async def auth(where: Installation, tmp_path: Path) -> AsyncIterator[ServiceProcess]:
    async with processes([load("auth")], where, tmp_path / "logs") as children:
        yield children["auth"]


async def test_a_process_that_dies_is_named_with_its_log(auth: ServiceProcess) -> None:
    async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client:
        await auth.check(client)
        death = asyncio.ensure_future(auth.until_dead())
        assert auth.pid is not None
        os.kill(auth.pid, signal.SIGKILL)
        with pytest.raises(ServiceDied, match=rf"^auth has ended with -9; its log is {auth.log}$"):
            await asyncio.wait_for(death, PATIENCE_SECONDS)
        with pytest.raises(ProbeFailed, match=r"^the process does not answer: ConnectError"):
            await auth.check(client)


async def test_a_process_that_can_not_start_is_named_with_its_log(where: Installation, tmp_path: Path) -> None:
    unmigrated = where.sibling_database("postgres")
    with pytest.raises(ServiceDied, match=rf"^auth ended at its start; its log is {tmp_path}/auth\.log$"):
        async with processes([load("auth")], unmigrated, tmp_path):
            pass
    said = await asyncio.to_thread((tmp_path / "auth.log").read_text)
    assert said == "fillstream: schema auth: it is not there: run `fillstream migrate`\n"


async def all_read(pipe: int) -> None:
    unread = array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, unread)
    assert unread[0] == 0


async def test_the_end_of_the_input_stops_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading) as source:
        monkeypatch.setattr("sys.stdin", source)
        stopped = asyncio.Event()
        async with stopping_on_end_of_input(stopped):
            os.write(writing, b"more to come")
            await eventually(lambda: all_read(reading))
            assert not stopped.is_set()
            os.close(writing)
            await asyncio.wait_for(stopped.wait(), PATIENCE_SECONDS)
