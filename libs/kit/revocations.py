"""Whose access tokens are no longer taken? Told by events that every process reads for itself, all of the last day."""

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

MAX_TOKEN_LIFE = timedelta(days=1)
"""No access token lives longer, so no revocation has to be remembered longer."""
_LONG_POLL_MS = 500
_READ_MS = 500
_FORGET_EVERY = timedelta(hours=1)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


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
    """The revocations of the last day, by the person that they mean."""

    _of: dict[UUID, list[AccessRevoked]] = field(default_factory=dict)
    _watches: dict[UUID, set[_Watch]] = field(default_factory=dict)
    _forgot: datetime = _LONG_AGO

    def learn(self, revoked: AccessRevoked, now: datetime) -> None:
        """Remember one; those of the same person that no token can be old enough for are forgotten."""
        alive = [one for one in self._of.get(revoked.user_id, ()) if one.issued_before > now - MAX_TOKEN_LIFE]
        self._of[revoked.user_id] = [*alive, revoked]
        for watch in tuple(self._watches.get(revoked.user_id, ())):
            if _means(revoked, watch.granted):
                watch.over()

    def forget(self, before: datetime) -> None:
        """Forget those that no token is old enough for; looks once an hour."""
        if before < self._forgot + _FORGET_EVERY:
            return
        self._forgot = before
        alive = {user: [one for one in told if one.issued_before > before] for user, told in self._of.items()}
        self._of = {user: told for user, told in alive.items() if told}

    def cover(self, granted: Granted) -> bool:
        """Whether the token is no longer taken."""
        told = self._of.get(granted.user_id)
        return told is not None and any(_means(revoked, granted) for revoked in told)

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


def _means(revoked: AccessRevoked, granted: Granted) -> bool:
    # A session that is over never issues again: whatever clocks say, none of its tokens is taken.
    return (
        (revoked.session_id is not None or granted.issued_at < revoked.issued_before)
        and revoked.session_id in {None, granted.session_id}
        and revoked.workspace_id in {None, granted.workspace_id}
    )


@dataclass(eq=False)
class _Reader:
    """Reads the topic from a day ago on, without a group: every process has to know all of it."""

    client: AIOKafkaConsumer
    known: Revocations

    async def catch_up(self) -> None:
        """Read what was told in the last day, up to now."""
        partitions: set[TopicPartition] = self.client.assignment()
        # A broker answers one question of a connection after the other: these would wait for a fetch that waits for news.
        self.client.pause(*partitions)
        since = int((utc_now() - MAX_TOKEN_LIFE).timestamp() * 1000)
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
            self.known.forget(utc_now() - MAX_TOKEN_LIFE)

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
        reader = _Reader(client, Revocations())
        await reader.catch_up()
        task = asyncio.create_task(reader.follow(), name="revocations")
        try:
            yield reader.known, Probe("revocations", lambda: None, task)
        finally:
            await end(task)
    finally:
        await stopped(client.stop())
