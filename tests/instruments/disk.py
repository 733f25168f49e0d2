"""How does a server run out of disk? Its data is on a small tmpfs of its own, which can be filled and freed."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from fillstream.embedded.accounts import reachable_root
from fillstream.embedded.home import Home

MEGABYTE = 1_048_576
MEGABYTES = 512
_WAL_MEGABYTES = 64


class MountRefused(Exception):
    """This machine lets us mount no file system; the text says why."""


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A mounted tmpfs."""

    path: Path

    @property
    def free_bytes(self) -> int:
        """How much can still be written."""
        status = os.statvfs(self.path)
        return status.f_bavail * status.f_bsize

    def fill(self, leave_bytes: int = 0) -> int:
        """Take all space but so much, and tell how much was taken."""
        wanted = self.free_bytes - leave_bytes
        taken = 0
        with self._ballast.open("wb") as file:
            # Others may write at the same time: what does not fit in one piece may fit in smaller ones.
            while wanted >= os.statvfs(self.path).f_bsize:
                try:
                    os.posix_fallocate(file.fileno(), taken, wanted)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    wanted //= 2
                else:
                    taken += wanted
                    wanted = self.free_bytes - leave_bytes
        return taken

    def free(self) -> None:
        """Give back what was taken."""
        self._ballast.unlink(missing_ok=True)

    def hold_postgres(self, home: Home) -> None:
        """Let the PostgreSQL of a new home have all its files here, tables and write-ahead log."""
        data = self.path / "postgres"
        data.mkdir(mode=0o700)
        home.postgres.symlink_to(data)

    @property
    def _ballast(self) -> Path:
        return self.path / "ballast"


async def keep_wal_small(url: str) -> None:
    """Let PostgreSQL keep less of its write-ahead log than a small disk has room for."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"ALTER SYSTEM SET min_wal_size = '{_WAL_MEGABYTES // 2}MB'")
        await connection.execute(f"ALTER SYSTEM SET max_wal_size = '{_WAL_MEGABYTES}MB'")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()


@asynccontextmanager
async def small_disk(megabytes: int = MEGABYTES) -> AsyncIterator[SmallDisk]:
    """A disk where every account may have files, gone with all that is on it at the end. Raises MountRefused."""
    folder = Path(tempfile.mkdtemp(prefix="disk-", dir=_root()))
    try:
        await asyncio.to_thread(_mount, folder, megabytes)
        try:
            yield SmallDisk(folder)
        finally:
            await asyncio.to_thread(_unmount, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _root() -> Path:
    if os.geteuid() != 0:
        raise MountRefused("only root may mount a small disk")
    return reachable_root()


def _mount(folder: Path, megabytes: int) -> None:
    if sys.platform != "linux":
        raise MountRefused(f"there is no tmpfs on {sys.platform}")
    options = f"size={megabytes}m,mode=755"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        raise MountRefused(f"this machine lets us mount no small disk: {error.stderr.strip()}") from error
    except FileNotFoundError as error:
        raise MountRefused("this machine has no mount command") from error


def _unmount(folder: Path) -> None:
    command = ["umount", "--lazy", str(folder)]
    subprocess.run(command, check=True)
