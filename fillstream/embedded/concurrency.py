"""How do several things start together, and end whatever happens?"""

import asyncio
from collections.abc import Coroutine


async def together(*work: Coroutine[object, object, None]) -> None:
    """Do all of it at once; the first failure cancels the rest and is raised as it is, not in a group."""
    try:
        async with asyncio.TaskGroup() as group:
            for part in work:
                group.create_task(part)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from failures


async def uninterrupted(work: Coroutine[object, object, None]) -> None:
    """Finish the work even when we are cancelled meanwhile; the cancellation goes on afterwards."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled:
        raise cancelled
