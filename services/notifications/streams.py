"""How do open streams learn of news? One LISTEN a process wakes those of the workspace that was told something.

A notification of PostgreSQL only says that it is worth looking: what is sent is always read anew under row-level
security, and a stream looks from time to time by itself, so that nothing depends on being woken.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID

from libs.kit.cancellation import end
from libs.kit.db import Database
from libs.kit.errors import Rejected
from libs.kit.health import Probe
from libs.kit.logging import logger
from libs.kit.outages import DATABASE_ERRORS
from services.notifications.repository import WAKE_CHANNEL
from services.notifications.settings import Settings

log = logger(__name__)

_RETRY_SECONDS = 1.0


class TooManyStreams(Rejected):
    """This process keeps as many streams as it may, or is about to stop; another one may have room."""

    status = 503
    slug = "too-many-streams"


@dataclass(eq=False)
class Subscription:
    """One stream's wait for news."""

    settings: Settings
    _ended: bool = False
    _opened_at: float = field(default_factory=time.monotonic)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def ended(self) -> bool:
        """Nothing more comes here: the process stops, the token is over, or was checked too long ago."""
        return self._ended or time.monotonic() - self._opened_at > self.settings.notifications_stream_seconds

    async def wait(self) -> None:
        """Return when something may be new, or when it is time to look anyway."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.settings.notifications_poll_seconds):
                await self._news.wait()
        self._news.clear()

    def wake(self) -> None:
        """Something may be new."""
        self._news.set()

    def end(self) -> None:
        """Let the stream end."""
        self._ended = True
        self.wake()


@dataclass(eq=False)
class Streams:
    """The open streams of a process."""

    db: Database
    settings: Settings
    _open: dict[UUID, set[Subscription]] = field(default_factory=lambda: defaultdict(set))
    _count: int = 0
    _closed: bool = False

    @contextmanager
    def subscribe(self, tenant_id: UUID) -> Iterator[Subscription]:
        """Be woken when the workspace is told something. Raises TooManyStreams."""
        if self._closed or self._count >= self.settings.notifications_max_streams:
            raise TooManyStreams("no more streams can be opened here now", retry_after=5)
        subscription = Subscription(self.settings)
        self._open[tenant_id].add(subscription)
        self._count += 1
        try:
            yield subscription
        finally:
            self._count -= 1
            self._open[tenant_id].discard(subscription)
            if not self._open[tenant_id]:
                del self._open[tenant_id]

    def close(self) -> None:
        """End all streams and open no more: the process is about to stop."""
        self._closed = True
        for subscription in self._all():
            subscription.end()

    async def listen(self) -> None:
        """Wake streams until cancelled; after an outage wake all, since nobody heard what was told meanwhile."""
        while True:
            try:
                await self._listen_once()
            except DATABASE_ERRORS as error:
                log.warning("streams_unheard", error=repr(error), retry_in_seconds=_RETRY_SECONDS)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _listen_once(self) -> None:
        lost = asyncio.Event()
        connection = await self.db.connect_worker()
        try:
            connection.add_termination_listener(lambda *_: lost.set())
            await connection.add_listener(WAKE_CHANNEL, self._told)
            for subscription in self._all():
                subscription.wake()
            await lost.wait()
        finally:
            connection.terminate()

    def _told(self, *message: object) -> None:
        for subscription in self._open.get(UUID(str(message[-1])), ()):
            subscription.wake()

    def _all(self) -> list[Subscription]:
        return [subscription for workspace in self._open.values() for subscription in workspace]


@asynccontextmanager
async def streams(db: Database, settings: Settings) -> AsyncIterator[tuple[Streams, Probe]]:
    """The streams of a process and the probe of what wakes them."""
    open_streams = Streams(db, settings)
    task = asyncio.create_task(open_streams.listen(), name="notification-streams")
    try:
        yield open_streams, Probe("streams", lambda: None, task)
    finally:
        open_streams.close()
        await end(task)
