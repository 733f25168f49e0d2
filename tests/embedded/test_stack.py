"""PostgreSQL and Kafka come up together, keep what they were given, and never outlive their owner for good."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from fillstream.embedded.stack import StackError, embedded_stack
from tests.world import PATIENCE_SECONDS

OWNER = """
import asyncio, pathlib, signal, sys
from fillstream.embedded.stack import embedded_stack

async def own():
    async with embedded_stack(pathlib.Path(sys.argv[1]), lambda line: None):
        print("ready", flush=True)
        await asyncio.sleep(3600)

# What a shell starts in the background is told to ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
asyncio.run(own())
"""


def silent(_: str) -> None:
    """Report to nobody."""


def pids(home: Path) -> list[int]:
    return [int(path.read_text()) for path in sorted((home / "run").glob("*.pid"))]


def running(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@contextmanager
def an_owner(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that runs the stack of a home."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", OWNER, str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as owner:
        try:
            assert owner.stdout is not None
            assert owner.stdout.readline() == "ready\n"
            yield owner
        finally:
            owner.kill()


async def produce(bootstrap: str, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True) as producer:
        await producer.send_and_wait(topic, value)


async def consume_one(bootstrap: str, topic: str) -> bytes | None:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, group_id="readers", auto_offset_reset="earliest")
    async with consumer:
        record = await asyncio.wait_for(consumer.getone(), PATIENCE_SECONDS)
    value: bytes | None = record.value
    return value


async def create_topic(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1)])
    await admin.close()


async def ask(url: str, question: str) -> object:
    connection = await asyncpg.connect(url)
    answer: object = await connection.fetchval(question)
    await connection.close()
    return answer


async def test_both_servers_answer_and_their_data_outlive_a_restart(home: Path) -> None:
    async with embedded_stack(home, silent) as first:
        assert str(await ask(first.database_url, "SELECT version()")).startswith("PostgreSQL 18.")
        assert await ask(first.database_url, "SHOW fsync") == "on"
        assert await ask(first.database_url, "SHOW synchronous_commit") == "on"
        await ask(first.database_url, "CREATE TABLE kept AS SELECT 42 AS answer")
        await create_topic(first.kafka_bootstrap, "kept.v1")
        await produce(first.kafka_bootstrap, "kept.v1", b"forty-two")
    async with embedded_stack(home, silent) as second:
        assert await ask(second.database_url, "SELECT answer FROM kept") == 42
        assert await consume_one(second.kafka_bootstrap, "kept.v1") == b"forty-two"


async def test_the_terminals_interrupt_does_not_reach_the_servers_and_nobody_else_can_connect(home: Path) -> None:
    async with embedded_stack(home, silent) as endpoints:
        assert all(os.getsid(pid) != os.getsid(0) for pid in pids(home))
        addresses = {
            connection.laddr.ip.removeprefix("::ffff:")
            for pid in pids(home)
            for connection in psutil.Process(pid).net_connections()
            if connection.status == psutil.CONN_LISTEN
        }
        assert addresses == {"127.0.0.1"}
        assert (home / "postgres-password").stat().st_mode & 0o777 == 0o600
        with pytest.raises(asyncpg.InvalidPasswordError):
            await ask(re.sub(":[^:@]+@", ":guess@", endpoints.database_url), "SELECT 1")


async def test_a_second_start_on_the_same_home_names_the_process_that_holds_it(home: Path) -> None:
    async with embedded_stack(home, silent):
        with pytest.raises(StackError, match=rf"^Process {os.getpid()} is already running the stack of {home}"):
            async with embedded_stack(home, silent):
                pass


async def test_servers_of_a_killed_process_are_stopped_by_the_next_start(home: Path) -> None:
    with an_owner(home) as owner:
        orphans = pids(home)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    assert all(map(running, orphans))
    async with embedded_stack(home, silent) as endpoints:
        assert not any(map(running, orphans))
        assert await ask(endpoints.database_url, "SELECT 1") == 1


async def test_a_cancelled_owner_leaves_nothing_running(home: Path) -> None:
    with an_owner(home) as owner:
        servers = pids(home)
        owner.send_signal(signal.SIGINT)
        await asyncio.to_thread(owner.wait, PATIENCE_SECONDS)
    assert not any(map(running, servers))
    assert pids(home) == []


async def test_a_start_that_is_cancelled_leaves_nothing_running(home: Path) -> None:
    before = {process.pid for process in psutil.process_iter()}

    async def use() -> None:
        async with embedded_stack(home, silent):
            raise AssertionError

    starting = asyncio.create_task(use())
    while not pids(home):  # noqa: ASYNC110 - processes ring no bell
        await asyncio.sleep(0.01)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert {process.pid for process in psutil.process_iter() if str(home) in _command(process)} - before == set()


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


async def test_a_home_that_cannot_be_made_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match=r"^The folder .*/file/home cannot be made: Not a directory\.$"):
        async with embedded_stack(tmp_path / "file" / "home", silent):
            pass
