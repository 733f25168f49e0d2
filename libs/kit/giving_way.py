"""How does long work in memory leave room for others? It gives way to the event loop every few milliseconds.

Heartbeats, leases and other requests of the process live in the same loop: without it a thousand bars that each concern
a thousand accounts would end the consumer's membership in its group.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")
_TURN_SECONDS = 0.01


async def giving_way(items: Iterable[T]) -> AsyncIterator[T]:
    """The items in their order, for work on each that never waits; everybody else has a turn now and then."""
    until = time.monotonic() + _TURN_SECONDS
    for item in items:
        yield item
        if time.monotonic() >= until:
            await asyncio.sleep(0)
            until = time.monotonic() + _TURN_SECONDS
