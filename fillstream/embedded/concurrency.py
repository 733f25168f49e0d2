"""How do several things start together, and end whatever happens?"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager

from libs.kit.cancellation import uninterrupted


async def together(*work: Coroutine[object, object, None]) -> None:
    """Do all of it at once; the first failure cancels the rest and is raised as it is, not in a group."""
    try:
        async with asyncio.TaskGroup() as group:
            for part in work:
                group.create_task(part)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from failures


@asynccontextmanager
async def unless_done(undo: Callable[[], Coroutine[object, object, None]]) -> AsyncIterator[None]:
    """Undo, even when we are cancelled, what the body did not finish."""
    async with AsyncExitStack() as stack:
        stack.push_async_callback(lambda: uninterrupted(undo()))
        yield
        stack.pop_all()
