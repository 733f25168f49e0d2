"""Whose access tokens are no longer taken? Told by events that every process reads for itself, all of a token's life."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition

from libs.kit.cancellation import end, uninterrupted
from libs.kit.codec import Undecodable, UnknownType, decode
from libs.kit.db import utc_now
from libs.kit.dead_letters import Record
from libs.kit.health import Probe
from libs.kit.kafka import REQUEST_MS, connection, stopped
from libs.kit.logging import logger
from libs.kit.settings import Settings
from libs.schema.auth import AccessRevoked

log = logger(__name__)

_MARGIN = timedelta(minutes=1)
"""For clocks that differ."""
_LONG_POLL_MS = 500
_READ_MS = 500
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_Meant = tuple[UUID, UUID | None, UUID | None]
"""A person, and the session and the workspace that are meant alone."""


@dataclass(frozen=True, slots=True)
class Granted:
    """What an access token says of itself that a revocation may mean."""

    user_id: UUID
    workspace_id: UUID
    session_id: UUID | None
    issued_at: datetime


@dataclass(eq=False)
class _Watch:
    """Somebody who goes on with a token after it was checked, and has to be told when it is over."""

    granted: Granted
    over: Callable[[], None]


@dataclass(eq=False)
class Revocations:
    """The revocations that a token which has not expired may be meant by."""

    token_life: timedelta = timedelta(days=1)
    """How long access tokens live at most; what is older has expired by itself."""
    _told: dict[_Meant, datetime] = field(default_factory=dict)
    """Those issued before which moment are meant; what was told last stands last."""
    _watches: dict[UUID, set[_Watch]] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._told)

    def learn(self, revoked: AccessRevoked, now: datetime) -> None:
        """Remember one, and forget those that no token is old enough for."""
        meant = revoked.user_id, revoked.session_id, revoked.workspace_id
        self._told[meant] = max(revoked.issued_before, self._told.pop(meant, _LONG_AGO))
        self.forget(now)
        for watch in tuple(self._watches.get(revoked.user_id, ())):
            if self.cover(watch.granted):
                watch.over()

    def forget(self, now: datetime) -> None:
        """Forget those that no token is old enough for."""
        before = now - self.token_life - _MARGIN
        while self._told:
            oldest = next(iter(self._told))
            if self._told[oldest] > before:
                return
            del self._told[oldest]

    def cover(self, granted: Granted) -> bool:
        """Whether the token is no longer taken. As quick for a person of whom much was told as for any other."""
        told, user, workspace = self._told, granted.user_id, granted.workspace_id
        if not told:
            return False
        # A session that is over never issues again: whatever clocks say, none of its tokens is taken.
        session = granted.session_id
        if session is not None and ((user, session, None) in told or (user, session, workspace) in told):
            return True
        before = max(told.get((user, None, None), _LONG_AGO), told.get((user, None, workspace), _LONG_AGO))
        return granted.issued_at < before

    @contextmanager
    def watched(self, granted: Granted, over: Callable[[], None]) -> Iterator[None]:
        """Call `over` when the token is revoked, at once if it is already. It may be called more than once."""
        watch = _Watch(granted, over)
        of_person = self._watches.setdefault(granted.user_id, set())
        of_person.add(watch)
        try:
            if self.cover(granted):
                over()
            yield
        finally:
            of_person.discard(watch)
            if not of_person:
                self._watches.pop(granted.user_id, None)


@dataclass(eq=False)
class _Reader:
    """Reads the topic from a token's life ago on, without a group: every process has to know all of it."""

    client: AIOKafkaConsumer
    known: Revocations

    async def catch_up(self) -> None:
        """Read what was told in the last token's life, up to now."""
        partitions: set[TopicPartition] = self.client.assignment()
        # A broker answers one question of a connection after the other: these would wait for a fetch that waits for news.
        self.client.pause(*partitions)
        since = int((utc_now() - self.known.token_life - _MARGIN).timestamp() * 1000)
        starts = await self.client.offsets_for_times(dict.fromkeys(partitions, since)) if partitions else {}
        ends = await self.client.end_offsets(partitions)
        for partition in partitions:
            start = starts.get(partition)
            self.client.seek(partition, ends[partition] if start is None else start.offset)
        self.client.resume(*partitions)
        while any([await self.client.position(partition) < ends[partition] for partition in partitions]):
            await self._read()

    async def follow(self) -> None:
        """Go on reading for ever; aiokafka waits out a broker that is away."""
        while True:
            await self._read()
            self.known.forget(utc_now())

    async def _read(self) -> None:
        for records in (await self.client.getmany(timeout_ms=_READ_MS)).values():
            for record in records:
                self._learn(record)

    def _learn(self, record: Record) -> None:
        try:
            event = decode(record.headers, record.value).event
        except (Undecodable, UnknownType) as error:
            log.warning("revocation_not_understood", error=repr(error), offset=record.offset)
            return
        if isinstance(event, AccessRevoked):
            self.known.learn(event, utc_now())


@dataclass(eq=False)
class _Shared:
    """A reader that all services of a process use, from the first that starts until the last has stopped."""

    users: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    told: tuple[Revocations, Probe] | None = None
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def open(self, settings: Settings) -> tuple[Revocations, Probe]:
        async with self.lock:
            if self.told is None:
                self.told = await self.closing.enter_async_context(_reading(settings))
            return self.told

    async def close(self) -> None:
        async with self.lock:
            # Somebody may have come while we waited.
            if not self.users:
                self.told = None
                await self.closing.aclose()


_Place = tuple[asyncio.AbstractEventLoop, str, str | None, str]
# All that a process may know of revocations is the same for all of its services: seven readers would start more slowly,
# and each would fetch the same records.
_shared: dict[_Place, _Shared] = {}


@asynccontextmanager
async def revocations(settings: Settings) -> AsyncIterator[tuple[Revocations, Probe]]:
    """The revocations, all known that were told before, and the part that learns the next ones: one in a process.

    While the broker is away nothing is learnt, and tokens live for as long as they say. Raises KafkaError when it is
    absent at the start, or lacks the topic.
    """
    kafka = settings.kafka
    place = (asyncio.get_running_loop(), kafka.bootstrap, kafka.sasl_username, settings.kafka_prefix)
    shared = _shared.setdefault(place, _Shared())
    shared.users += 1
    try:
        yield await shared.open(settings)
    finally:
        shared.users -= 1
        await uninterrupted(shared.close())
        if not shared.users and _shared.get(place) is shared:
            del _shared[place]


@asynccontextmanager
async def _reading(settings: Settings) -> AsyncIterator[tuple[Revocations, Probe]]:
    """A reader of its own."""
    client = AIOKafkaConsumer(
        settings.kafka_prefix + AccessRevoked.topic,
        **connection(settings.kafka),
        client_id="revocations",
        request_timeout_ms=REQUEST_MS,
        fetch_max_wait_ms=_LONG_POLL_MS,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    try:
        await client.start()
        reader = _Reader(client, Revocations(timedelta(seconds=settings.access_token_seconds)))
        await reader.catch_up()
        task = asyncio.create_task(reader.follow(), name="revocations")
        try:
            yield reader.known, Probe("revocations", lambda: None, task)
        finally:
            await end(task)
    finally:
        await stopped(client.stop())
