"""How do events come in? Raw batches from FastStream, handled by the inbox, offsets committed after the commit.

FastStream swallows what a subscriber raises and moves on, so nothing is raised to it: an outage is waited out with the
batch in hand, a batch that is too much for one transaction is halved, and an event that keeps failing ends among the dead
letters.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.message import FAKE_CONSUMER
from faststream.kafka.subscriber.usecase import BatchSubscriber

from libs.kit.batch_size import BatchSize
from libs.kit.cancellation import end
from libs.kit.connections import IDLE_IN_TRANSACTION_SECONDS
from libs.kit.db import Database
from libs.kit.dead_letters import Record
from libs.kit.errors import Fatal, FillstreamError
from libs.kit.giving_way import giving_way
from libs.kit.handlers import Handlers, topics_of
from libs.kit.health import Probe, ProbeFailed
from libs.kit.inbox import Arrival, Inbox, read
from libs.kit.kafka import REQUEST_MS, security, stopped
from libs.kit.logging import logger
from libs.kit.metrics import CONSUMER_LAG, DEAD_LETTERS
from libs.kit.outages import Away, DatabaseAway, is_too_much
from libs.kit.settings import Settings

log = logger(__name__)

MAX_RECORDS = 1_000
_POLL_MS = 1_000
# What FastStream takes for the limit of a poll, and also sleeps after one that gave nothing.
_SLEEP_MS = 1
# A member that is dead, not slow, is replaced after this long: the least that a broker grants by default.
_SESSION_MS = 6_000
_HEARTBEAT_MS = 1_500
_ATTEMPT_DELAYS = (0.05, 0.2, 0.5, 1.0)
_OUTAGE_DELAYS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_WATCH_SECONDS = 2.0
_FATAL_STALLS = 4
_STOP_SECONDS = 20.0
_DRAIN_SECONDS = 10.0


class TooMuch(FillstreamError):
    """A transaction did not come to its end in the time that it has; the text says what ended it."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records as they came, and what became of reading them."""

    records: Sequence[Record]
    arrivals: Sequence[Arrival]


@dataclass(eq=False)
class Consumer:
    """Takes one context's events. Run by `consumer`."""

    inbox: Inbox
    settings: Settings
    _read: asyncio.Queue[Batch | None] = field(default_factory=lambda: asyncio.Queue(maxsize=1))
    """The next batch, decoded while the database works on the one before; None at the end."""
    _size: BatchSize = field(default_factory=lambda: BatchSize(most=MAX_RECORDS, records=MAX_RECORDS))
    _closed: bool = False
    _progress: float = field(default_factory=time.monotonic)
    _in_hand: int = 0
    _lag: int = 0
    _unreachable: str | None = None

    async def read(self, records: Sequence[Record]) -> None:
        """Decode a batch and leave it to `work`; after `close`, leave it to whoever gets it next."""
        if self._closed:
            return
        self._in_hand += 1
        self._progress = time.monotonic()
        await self._read.put(Batch(records, [read(record) async for record in giving_way(records)]))

    async def work(self, done: Callable[[Sequence[Record]], Coroutine[object, object, None]]) -> None:
        """Handle the batches in their order, each to its end; until `close`.

        `done` is told of each while the next one is handled, and of one after the other.
        """
        telling: list[asyncio.Task[None]] = []
        try:
            while (batch := await self._next()) is not None:
                await self._take(batch.arrivals)
                self._in_hand -= 1
                self._progress = time.monotonic()
                await asyncio.gather(*telling)
                telling = [asyncio.create_task(done(batch.records), name=f"offsets-{self.inbox.db.schema}")]
            await asyncio.gather(*telling)
        finally:
            await end(*telling)

    def close(self) -> None:
        """Read no more, and let `work` end when all that was read is handled."""
        self._closed = True
        if self._read.empty():
            self._read.put_nowait(None)

    def forget(self) -> None:
        """Drop what was read and not handled; it will be delivered again."""
        while not self._read.empty():
            self._read.get_nowait()

    async def _next(self) -> Batch | None:
        if self._closed and self._read.empty():
            return None
        return await self._read.get()

    async def _take(self, arrivals: Sequence[Arrival]) -> None:
        """Handle a batch, however long an outage lasts: in parts that one transaction each can do."""
        done = 0
        while done < len(arrivals):
            part = arrivals[done : done + self._size.records]
            error = await self._failure(part)
            self._progress = time.monotonic()
            if isinstance(error, TooMuch) and len(part) > 1:
                self._size.halve(len(part))
                log.warning("batch_halved", context=self.inbox.db.schema, records=len(part), error=repr(error))
                continue
            if error is None:
                self._size.grow(len(part))
            else:
                await self._take_one_by_one(part, error)
            done += len(part)

    async def _take_one_by_one(self, arrivals: Sequence[Arrival], error: Exception) -> None:
        """Find out which of the records it was."""
        log.warning("batch_failed", context=self.inbox.db.schema, records=len(arrivals), error=repr(error))
        for arrival in arrivals:
            await self._take_one(arrival)

    async def _take_one(self, arrival: Arrival) -> None:
        for delay in (*_ATTEMPT_DELAYS, None):
            error = await self._failure([arrival])
            self._progress = time.monotonic()
            if error is None:
                return
            if delay is None:
                break
            await asyncio.sleep(delay)
        log.error("event_dead", context=self.inbox.db.schema, offset=arrival.record.offset, exc_info=error)
        reason, attempts = f"{type(error).__name__}: {error}", len(_ATTEMPT_DELAYS) + 1
        await self._through_outages(lambda: self.inbox.give_up(arrival, reason, attempts))

    async def _failure(self, arrivals: Sequence[Arrival]) -> Exception | None:
        """Handle the records in one transaction; what a handler raised, or None when all went well."""
        try:
            await self._through_outages(lambda: self._take_at_once(arrivals))
        except Fatal:
            raise
        except Exception as error:  # noqa: BLE001 the edge: whatever a handler raises counts against its events alone
            return error
        return None

    async def _take_at_once(self, arrivals: Sequence[Arrival]) -> None:
        """Handle the records in one transaction. Raises TooMuch where fewer, or none of this one, may be what helps."""
        began = time.monotonic()
        try:
            # One record is as little as there can be: it has all the time that its statements have.
            async with asyncio.timeout(self.settings.stall_seconds if len(arrivals) > 1 else None):
                await self.inbox.take(arrivals)
        except Exception as error:
            silent_at_most = time.monotonic() - began
            if is_too_much(error) and (len(arrivals) > 1 or silent_at_most >= IDLE_IN_TRANSACTION_SECONDS):
                raise TooMuch(f"{len(arrivals)} records in one transaction: {error!r}") from error
            raise

    async def _through_outages(self, work: Callable[[], Awaitable[None]]) -> None:
        failures = 0
        while True:
            try:
                return await work()
            except Away as error:
                delay = _OUTAGE_DELAYS[min(failures, len(_OUTAGE_DELAYS) - 1)]
                failures += 1
                log.warning("database_away", context=self.inbox.db.schema, error=repr(error), retry_in_seconds=delay)
                await asyncio.sleep(delay)

    async def watch(self, subscriber: BatchSubscriber) -> None:
        """Measure lag and dead letters; end, for the supervisor to restart, when lag stands still for too long."""
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            await self._measure(subscriber)
            if self._stalled_for() > _FATAL_STALLS * self.settings.stall_seconds:
                msg = f"{self.inbox.db.schema} has lag {self._lag} and made no progress for {self._stalled_for():.0f} s"
                log.critical("consumer_stalled", context=self.inbox.db.schema, lag=self._lag)
                raise Fatal(msg)

    async def _measure(self, subscriber: BatchSubscriber) -> None:
        client = subscriber.consumer
        if client is None:
            return
        try:
            async with asyncio.timeout(5 * _WATCH_SECONDS):
                self._lag = await self._measure_lag(client)
            self._unreachable = None
        except (KafkaError, OSError, TimeoutError) as error:
            self._unreachable = f"the broker does not answer: {error!r}"
        with suppress(DatabaseAway):
            await self._measure_dead_letters()

    async def _measure_lag(self, client: AIOKafkaConsumer) -> int:
        ends: dict[TopicPartition, int] = await client.end_offsets(client.assignment())
        # A topic whose partitions went to another member has no lag here.
        lags = dict.fromkeys(client.subscription(), 0)
        for partition, last in ends.items():
            lags[partition.topic] += last - await client.position(partition)
        for topic, lag in lags.items():
            CONSUMER_LAG.labels(self.inbox.db.schema, topic).set(lag)
        return sum(lags.values())

    async def _measure_dead_letters(self) -> None:
        async with self.inbox.db.work() as tx:
            rows = await tx.fetch("SELECT count(*) FROM dead_letter WHERE resolved_at IS NULL")
        DEAD_LETTERS.labels(self.inbox.db.schema).set(rows[0][0])

    def _stalled_for(self) -> float:
        if self._lag == 0 and not self._in_hand:
            self._progress = time.monotonic()
        return time.monotonic() - self._progress

    def probe(self) -> None:
        """Raise ProbeFailed when the broker is away, or when there is lag and nothing moves."""
        if self._unreachable is not None:
            raise ProbeFailed(self._unreachable)
        if self._stalled_for() > self.settings.stall_seconds:
            msg = f"lag {self._lag} and no progress for {self._stalled_for():.0f} s"
            raise ProbeFailed(msg)


async def _keep_raw(records: tuple[Record, ...]) -> KafkaMessage:
    """Replace FastStream's parser, which would decode headers and fail the whole batch for one bad byte."""
    return KafkaMessage(raw_message=records, body=b"", consumer=FAKE_CONSUMER)


async def _as_it_is(message: KafkaMessage) -> tuple[Record, ...]:
    return cast("tuple[Record, ...]", message.raw_message)


@asynccontextmanager
async def consumer(
    db: Database, settings: Settings, handlers: Handlers, *, group: str | None = None
) -> AsyncIterator[Probe]:
    """Consume, in the background, the events that the handlers are for; the group has the context's name unless told.

    Raises KafkaError when the broker is absent at the start.
    """
    broker = KafkaBroker(
        # FastStream takes a text for one address.
        settings.kafka.bootstrap.split(","),
        security=security(settings.kafka),
        client_id=f"consumer-{db.schema}",
        request_timeout_ms=REQUEST_MS,
        consumer_only=True,
        allow_auto_create_topics=False,
        graceful_timeout=_STOP_SECONDS,
        apply_types=False,
        serializer=None,
        logger=None,
    )
    subscriber = broker.subscriber(
        *(settings.kafka_prefix + topic for topic in topics_of(handlers)),
        group_id=settings.kafka_prefix + (group or db.schema),
        batch=True,
        max_records=MAX_RECORDS,
        batch_timeout_ms=_SLEEP_MS,
        session_timeout_ms=_SESSION_MS,
        heartbeat_interval_ms=_HEARTBEAT_MS,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.MANUAL,
        parser=_keep_raw,
        decoder=_as_it_is,
    )
    worker = Consumer(Inbox(db, handlers), settings)

    @subscriber
    async def take(records: tuple[Record, ...]) -> None:
        await worker.read(records)

    await broker.start()
    _wait_for_records(subscriber.consumer)
    watching = asyncio.create_task(worker.watch(subscriber), name=f"watch-{db.schema}")
    working = asyncio.create_task(
        worker.work(lambda records: _commit(subscriber.consumer, records)), name=f"consumer-{db.schema}"
    )
    task = asyncio.create_task(_until_one_ends(watching, working))
    try:
        yield Probe("consumer", worker.probe, task)
    finally:
        await end(task, watching)
        await _drain(worker, working)
        await stopped(broker.stop())


def _wait_for_records(client: AIOKafkaConsumer | None) -> None:
    """Let polls wait until there are records: FastStream's limit for that is also how long it sleeps after none came."""
    if client is None:
        return
    poll = client.getmany

    async def poll_patiently(*, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Record]]:
        found: dict[TopicPartition, list[Record]] = await poll(
            timeout_ms=max(timeout_ms, _POLL_MS), max_records=max_records
        )
        return found

    client.getmany = poll_patiently


async def _until_one_ends(*tasks: asyncio.Task[None]) -> None:
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


async def _drain(worker: Consumer, working: asyncio.Task[None]) -> None:
    """Let what was read be handled and committed, for a bounded time; the rest will be delivered again."""
    worker.close()
    await asyncio.wait({working}, timeout=_DRAIN_SECONDS)
    await end(working)
    worker.forget()


async def _commit(client: AIOKafkaConsumer | None, records: Sequence[Record]) -> None:
    """Commit just past these records; what can't be committed will be delivered again and found in the inbox."""
    if client is None:
        return
    offsets = {TopicPartition(record.topic, record.partition): record.offset + 1 for record in records}
    try:
        await client.commit(offsets)
    except KafkaError as error:
        log.warning("offsets_not_committed", error=repr(error))
