"""A process that kills itself at the worst moment: `python -m tests.kit.victim consumer|relay`, settings in the environment."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from types import MappingProxyType

from libs.kit import consumer as consumer_module
from libs.kit.db import database
from libs.kit.relay import Relay
from libs.kit.settings import Settings
from tests.kit.probe import Faults, consuming


async def _die(*_arguments: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def die_before_offsets_are_committed(settings: Settings) -> None:
    """Take events, commit their effects, and die."""
    consumer_module._commit = _die  # type: ignore[assignment]  # noqa: SLF001
    async with consuming(settings, Faults()):
        await asyncio.Event().wait()


async def die_before_rows_are_moved(settings: Settings) -> None:
    """Send events, have them acknowledged, and die."""
    async with database(settings, "probe") as db:
        dying = Relay(db, settings)
        send = dying._send  # noqa: SLF001

        async def send_and_die(*arguments: object) -> None:
            if (await send(*arguments)).sent:  # type: ignore[arg-type]
                await _die()

        dying._send = send_and_die  # type: ignore[method-assign,assignment]  # noqa: SLF001
        await dying.run()


_DEATHS = MappingProxyType({"consumer": die_before_offsets_are_committed, "relay": die_before_rows_are_moved})

if __name__ == "__main__":
    asyncio.run(_DEATHS[sys.argv[1]](Settings()))
