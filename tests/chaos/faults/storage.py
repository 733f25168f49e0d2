"""What can happen to a disk? It is full: nothing more can be written until somebody makes room."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import asyncpg

from fillstream.embedded.errors import StackError
from tests.chaos.fault import Faults, PromiseBroken, Wanted
from tests.chaos.layouts import disk_of, on_a_small_disk
from tests.chaos.servers import Layout
from tests.chaos.site import Site

_LOG = "home/logs/postgres.log"
_FULL_SECONDS = 30.0
_START_SECONDS = 60.0
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class FillDisk:
    """PostgreSQL can extend no table and write no more log; it may even end, and is started when there is room."""

    name: str = "fill PostgreSQL's disk"
    kind: str = "disk-full"
    layout: Layout = on_a_small_disk
    wanted: Wanted = Wanted.NOTHING_SAID

    async def inject(self, site: Site, rng: Random) -> None:
        """Fill it, let PostgreSQL run into it, make room. Raises PromiseBroken when it never did."""
        disk = disk_of(site.folder)
        log = site.folder / _LOG
        before = await asyncio.to_thread(_complaints, log)
        try:
            disk.fill()
            await asyncio.sleep(rng.uniform(3, 8))
            deadline = time.monotonic() + _FULL_SECONDS
            while await asyncio.to_thread(_complaints, log) == before:
                if time.monotonic() > deadline:
                    raise PromiseBroken("the disk was full, and PostgreSQL did not run into it")
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            disk.free()
        site.harm_ended()
        await _until_it_answers(site)


def _complaints(log: Path) -> int:
    return log.read_text(errors="replace").count("No space left on device")


async def _until_it_answers(site: Site) -> None:
    """Start it again if it has ended: without room for its log it gives up even its own recovery."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            await site.fetch("SELECT 1")
        except (asyncpg.PostgresError, OSError) as error:
            if time.monotonic() > deadline:
                raise PromiseBroken(f"PostgreSQL does not come back: {error!r}") from error
            await _start_if_ended(site)
            await asyncio.sleep(_POLL_SECONDS)
        else:
            return


async def _start_if_ended(site: Site) -> None:
    if site.servers.postgres.pid is None:
        with suppress(StackError):
            await site.servers.postgres.start()


FAULTS: Faults = (FillDisk(),)
