"""How do things end? What must not be left half done, uncancelled; what runs in the background, for certain."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
# Long enough for what a task closes on its way out.
_AGAIN_SECONDS = 5.0


async def uninterrupted(work: Coroutine[object, object, T]) -> T:
    """Finish the work even when we are cancelled meanwhile, and raise the cancellation when it is done."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        # Even when the work failed: whoever cancelled must not be taken for somebody who may try again.
        raise cancelled from task.exception()
    return task.result()


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks until they have ended, whatever they end with.

    Once may not be enough: until Python 3.12 `asyncio.wait_for`, which libraries use, loses a cancellation that comes at
    the moment in which what it waits for is there.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=_AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)
