"""Where do libraries wait for key services that know no asyncio? In a few threads of their own, which nobody else needs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Threads:
    """So many and no more; who finds them busy waits, and gives up without them."""

    pool: ThreadPoolExecutor

    async def run(self, work: Callable[[], T]) -> T:
        """Do it in one of them. Cancelled before it has begun, it is not done at all."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, work)


@contextmanager
def key_threads(count: int) -> Iterator[Threads]:
    """Threads that the end does not wait for: what hangs in one has a limit of its own."""
    pool = ThreadPoolExecutor(count, thread_name_prefix="key-service")
    try:
        yield Threads(pool)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
