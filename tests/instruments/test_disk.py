"""PostgreSQL on a small disk: when it is full nothing is taken, and nothing that was taken is lost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from fillstream.embedded.home import open_home
from fillstream.embedded.postgres import PostgresServer, StopMode
from fillstream.embedded.stack import remove_home
from tests.instruments.disk import MEGABYTE, MountRefused, SmallDisk, keep_wal_small, small_disk
from tests.world import eventually

_MEGABYTES = 256


@pytest.fixture
async def disk() -> AsyncIterator[SmallDisk]:
    try:
        async with small_disk(_MEGABYTES) as mounted:
            yield mounted
    except MountRefused as refused:
        pytest.skip(str(refused))


@pytest.fixture
async def postgres(disk: SmallDisk, tmp_path: Path) -> AsyncIterator[PostgresServer]:
    home = open_home(tmp_path / "home")
    disk.hold_postgres(home)
    server = PostgresServer(home)
    await server.start()
    await keep_wal_small(server.url)
    yield server
    await server.stop(StopMode.IMMEDIATE)
    await remove_home(home.path)


def test_a_disk_is_filled_to_the_last_page_and_freed(disk: SmallDisk) -> None:
    assert disk.free_bytes == _MEGABYTES * MEGABYTE
    assert disk.fill(leave_bytes=MEGABYTE) == (_MEGABYTES - 1) * MEGABYTE
    (disk.path / "fits").write_bytes(b"x" * 500_000)
    disk.free()
    disk.fill()
    assert disk.free_bytes == 0
    with pytest.raises(OSError, match="No space left"):
        (disk.path / "another").write_bytes(b"x" * 500_000)
    disk.free()
    assert disk.free_bytes > (_MEGABYTES - 1) * MEGABYTE


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
async def test_a_disk_leaves_nothing_mounted() -> None:
    async with small_disk(8) as disk:
        path = disk.path
        assert str(path) in Path("/proc/mounts").read_text()  # noqa: ASYNC240
    assert str(path) not in Path("/proc/mounts").read_text()  # noqa: ASYNC240
    assert not path.exists()


async def test_a_refused_mount_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*command: object, **_: object) -> None:
        raise subprocess.CalledProcessError(32, str(command), stderr="mount: permission denied.\n")

    monkeypatch.setattr(subprocess, "run", refused)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(MountRefused, match="lets us mount no small disk: mount: permission denied"):
        async with small_disk(8):
            pass


async def insert_until_refused(connection: asyncpg.Connection) -> int:
    """How many rows of some hundred kilobytes were taken."""
    insert = "INSERT INTO kept SELECT $1::int, string_agg(md5((n * 1000 + $1::int)::text), '') FROM generate_series(1, 9000) n"
    for number in range(1_000):
        try:
            await connection.execute(insert, number)
        except (asyncpg.DiskFullError, asyncpg.PostgresConnectionError, ConnectionError):
            return number
    pytest.fail("the disk never became full")


async def test_what_is_committed_before_the_disk_is_full_is_there_when_it_is_free(
    disk: SmallDisk, postgres: PostgresServer
) -> None:
    connection = await asyncpg.connect(postgres.url)
    await connection.execute("CREATE TABLE kept (number int, ballast text)")
    disk.fill(leave_bytes=3 * MEGABYTE)
    written = await insert_until_refused(connection)
    connection.terminate()
    disk.free()
    if postgres.pid is None:
        await postgres.start()

    async def all_there() -> None:
        try:
            again = await asyncpg.connect(postgres.url)
        except (asyncpg.PostgresError, OSError) as error:
            raise AssertionError(repr(error)) from error
        assert await again.fetchval("SELECT count(*) FROM kept") == written
        await again.execute("INSERT INTO kept VALUES ($1, 'after')", written)
        await again.close()

    assert written > 0
    await eventually(all_there)
