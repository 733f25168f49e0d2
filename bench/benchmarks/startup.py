"""How soon is it ready, and how much memory does it take? `fillstream up` with its servers, and each service alone."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from bench.processes import Served, served
from bench.report import Row, within
from bench.stage import Stage
from fillstream.contexts import names

_READY_SECONDS = 10.0
_MEGABYTES = 1024.0
_SETTLE_SECONDS = 2.0


async def measure(place: Stage) -> Sequence[Row]:
    """Seconds until `/readyz` is green, and megabytes of all processes together two seconds later."""
    home = place.home.parent / "up"
    own = {"FILLSTREAM_HOME": str(home), "FILLSTREAM_DATABASE_URL": "", "FILLSTREAM_KAFKA_BOOTSTRAP": ""}
    rows = [*await _measured(place, "up, the first time", "fillstream", "up", environment=own)]
    rows += await _measured(place, "up, the second time", "fillstream", "up", environment=own)
    for name in names():
        # Nobody asks it anything, so that its keys may be anywhere.
        rows += await _measured(place, f"serve {name}", "fillstream", "serve", name, environment={})
    return rows


async def _measured(place: Stage, what: str, *arguments: str, environment: dict[str, str]) -> list[Row]:
    async with served(place, *arguments, environment=environment) as running:
        await asyncio.sleep(_SETTLE_SECONDS)
        memory = _memory(running)
    return [
        within(f"{what}: ready", "s", running.seconds, _READY_SECONDS),
        within(f"{what}: memory (PSS)", "MB", memory, _MEGABYTES),
    ]


def _memory(running: Served) -> float:
    if sys.platform != "linux":
        raise RuntimeError("only Linux tells how much of shared memory is a process's own part")
    return running.resident_megabytes()
