"""What has to be done again and again? A task of its own for each, which looks at the clock and waits out servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from libs.kit.cancellation import end
from libs.kit.errors import Fatal
from libs.kit.health import Probe
from libs.kit.logging import logger
from libs.kit.outages import Away

log = logger(__name__)

Act = Callable[[], Awaitable[bool]]
"""Does a part of what is due, and tells whether there may be more of it now."""


@asynccontextmanager
async def recurring(name: str, act: Act, every_seconds: float) -> AsyncIterator[Probe]:
    """Do all that is due in the background, at once and then every so often. The act lets replicas share the work.

    A server that is away is waited out, and what else goes wrong is logged and tried again: one thing that can't be done
    takes nothing else down. What is Fatal ends the task, and with it the process.
    """
    task = asyncio.create_task(_repeat(name, act, every_seconds), name=name)
    try:
        yield Probe(name, lambda: None, task)
    finally:
        await end(task)


async def _repeat(name: str, act: Act, every_seconds: float) -> None:
    interrupted = f"{name}_interrupted"
    while True:
        try:
            while await act():
                pass
        except Away as error:
            log.warning(interrupted, error=repr(error), retry_in_seconds=every_seconds)
        except Fatal:
            raise
        except Exception:
            log.exception("recurring_failed", task=name)
        await asyncio.sleep(every_seconds)
