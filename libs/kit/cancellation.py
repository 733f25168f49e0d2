"""How does something end that must not be left half done? Uncancelled; the cancellation goes on afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


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
