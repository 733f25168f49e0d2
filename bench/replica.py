"""Who consumes the fills in a process of its own? The kit, until a signal; the servers are in the environment."""

from __future__ import annotations

import asyncio

from bench.fills import change_positions
from fillstream.cli.shell import run
from fillstream.serve import stopping_on_signals
from libs.kit.consumer import consumer
from libs.kit.db import database
from libs.kit.logging import configure_logging
from libs.kit.settings import Settings


async def _consume() -> None:
    settings, stopped = Settings(), asyncio.Event()
    async with (
        database(settings, "bench") as db,
        consumer(db, settings, [change_positions]),
        stopping_on_signals(stopped),
    ):
        await stopped.wait()


if __name__ == "__main__":
    configure_logging("WARNING")
    run(_consume())
