"""`fillstream up` comes up, keeps what it was given, and leaves nothing behind, however it ends."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import psutil
import pytest

from fillstream.embedded.stack import remove_home
from tests.system.commands import Program, fillstream, running
from tests.world import PATIENCE_SECONDS, eventually

PERSON = {"email": "ada@example.com", "password": "correct horse battery staple"}


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Path]:
    path = tmp_path / "home"
    yield path
    await remove_home(path)


@asynccontextmanager
async def up(home: Path, *options: str) -> AsyncIterator[tuple[Program, str]]:
    """`fillstream up` when it is ready, and its address."""
    variables = {"FILLSTREAM_HOME": str(home), "FILLSTREAM_HTTP_PORT": "0", "FILLSTREAM_LOG_LEVEL": "ERROR"}
    async with running("up", *options, log=home.parent / "up.log", **variables) as program:
        yield program, await program.says(r"ready: (http://\S+)/docs")


async def log_in(url: str) -> int:
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=PATIENCE_SECONDS) as client:
        return (await client.post("/v1/auth/login", json=PERSON)).status_code


async def register(url: str) -> int:
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=PATIENCE_SECONDS) as client:
        return (await client.post("/v1/auth/register", json=PERSON)).status_code


def mentioning(home: Path) -> list[psutil.Process]:
    """Living processes that have to do with a home."""
    found = []
    for process in psutil.process_iter():
        try:
            known = str(home) in " ".join(process.cmdline())
            known = known or process.environ().get("FILLSTREAM_HOME") == str(home)
        except psutil.Error:
            continue
        if known and process.status() != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


async def nothing_is_left(home: Path) -> None:
    async def left() -> None:
        assert mentioning(home) == []

    await eventually(left)


async def test_what_was_kept_outlives_a_stop_and_a_kill(home: Path) -> None:
    async with up(home) as (program, url):
        assert await register(url) == 201
        assert await program.end(signal.SIGTERM) == 0, program.said
        assert program.said.rstrip().endswith("stopping")
        await nothing_is_left(home)
    async with up(home) as (program, url):
        assert await log_in(url) == 200
        await program.end(signal.SIGKILL)
    async with up(home) as (program, url):
        assert await log_in(url) == 200
        assert await program.end(signal.SIGINT) == 0, program.said
    await nothing_is_left(home)


async def test_other_commands_work_on_the_servers_that_are_up(home: Path) -> None:
    async with up(home) as (program, url):
        there = {"FILLSTREAM_HOME": str(home)}
        doctor = await fillstream("doctor", **there)
        assert doctor.status == 0, doctor
        checks = [line.split(maxsplit=1) for line in doctor.err.splitlines()]
        assert {mark for mark, _ in checks} == {"ok"}
        assert {"database", "broker", "topics", "clocks", "schema orders"} <= {check for _, check in checks}
        another = await fillstream("up", FILLSTREAM_HTTP_PORT=url.rpartition(":")[2], **there)
        assert another.status == 1
        assert "can't be listened at: Address already in use" in another.err
        assert await register(url) == 201
        granted = await fillstream("admin", "grant", PERSON["email"], "support", **there)
        assert (granted.status, granted.out) == (0, "ada@example.com is SUPPORT from the next login on\n")
        assert program.process.returncode is None
        assert await program.end(signal.SIGTERM) == 0


async def test_a_stop_in_the_middle_of_the_start_leaves_nothing(home: Path) -> None:
    log = home.parent / "up.log"
    async with running("up", log=log, FILLSTREAM_HOME=str(home), FILLSTREAM_HTTP_PORT="0") as program:
        await program.says("(starting PostgreSQL and Kafka)")
        assert await program.end(signal.SIGTERM) == 143, program.said
        assert "Traceback" not in program.said
    await nothing_is_left(home)


async def test_the_services_of_a_killed_process_end_by_themselves(home: Path) -> None:
    async with up(home, "--processes") as (program, _):
        services = [process for process in mentioning(home) if "serve" in process.cmdline()]
        assert len(services) == 7
        await program.end(signal.SIGKILL)

        async def gone() -> None:
            assert [one for one in services if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []

        await eventually(gone)
