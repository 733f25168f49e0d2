"""How do events leave the outbox? One relay a context reads it in id order and moves what the broker acknowledged.

There is no cursor: what is in the table is what is still to be sent. A relay that dies between the acknowledgement
and the move sends again, and consumers know the event by its id. A relay that wakes up after it lost its lock can only
send what its successor has sent already.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from libs.kit.cancellation import end
from libs.kit.codec import headers_of
from libs.kit.db import Database
from libs.kit.health import Probe, ProbeFailed
from libs.kit.kafka import producer
from libs.kit.logging import logger
from libs.kit.metrics import EVENTS_PUBLISHED, OUTBOX_AGE_SECONDS, OUTBOX_DEPTH
from libs.kit.outages import DATABASE_ERRORS
from libs.kit.outbox import OutboxRow, wake_channel
from libs.kit.settings import Settings

log = logger(__name__)

_BATCH = 1_000
_POLL_SECONDS = 0.5
_STANDBY_SECONDS = 1.0
# A frozen process keeps its connection, and with it the lock; the server ends a session that is silent for so long.
_LEASE = "SET idle_session_timeout = '5s'"
_BLOCK_SECONDS = 5.0
_METADATA_SECONDS = 1.0
_COUNT_SECONDS = 1.0
_BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
# The broker refuses this record, not the producer.
_REFUSALS = (
    MessageSizeTooLargeError,
    InvalidTopicError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
_OUTAGES = (*DATABASE_ERRORS, KafkaError, TimeoutError)

# The ids alone tell what was sent; the rest of a row goes to the log as it is.
_MOVE = """
    WITH sent AS (DELETE FROM outbox WHERE id = ANY($1::bigint[]) RETURNING *)
    INSERT INTO event_log SELECT event_id, topic, key, type, tenant_id, subject, sequence, occurred_at, recorded_at,
                                 correlation_id, causation_id, traceparent, data FROM sent
"""
_READ = """
    SELECT id, event_id, topic, key, type, tenant_id, subject, sequence, occurred_at, recorded_at,
           correlation_id, causation_id, traceparent, data
    FROM outbox WHERE NOT ((topic, key) IN (SELECT * FROM unnest($1::text[], $2::text[]))) AND id <> ALL($3::bigint[])
    ORDER BY id LIMIT $4
"""

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@dataclass(frozen=True, slots=True)
class _Waiting:
    id: int
    row: OutboxRow

    @property
    def key(self) -> tuple[str, str]:
        return self.row.topic, self.row.key


@dataclass(slots=True)
class _Outcome:
    sent: list[int] = field(default_factory=list)
    held: set[tuple[str, str]] = field(default_factory=set)
    """Keys of which something was left unsent."""
    broken: KafkaError | None = None
    """The producer can't go on; what was acknowledged before counts."""


@dataclass(eq=False)
class Relay:
    """Sends one context's events. Run by `relay`; a second one stands by until the first is gone."""

    db: Database
    settings: Settings
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _blocked: dict[tuple[str, str], float] = field(default_factory=dict)
    _unknown: dict[str, float] = field(default_factory=dict)
    _last_pass: float = field(default_factory=time.monotonic)
    _counted: float = float("-inf")
    _failures: int = 0

    async def run(self) -> None:
        """Work until cancelled; back off while the database or the broker is away."""
        while True:
            try:
                await self._lead()
            except _OUTAGES as error:
                delay = _BACKOFF_SECONDS[min(self._failures, len(_BACKOFF_SECONDS) - 1)]
                self._failures += 1
                log.warning("relay_interrupted", context=self.db.schema, error=repr(error), retry_in_seconds=delay)
                await asyncio.sleep(delay)

    async def _lead(self) -> None:
        """Hold the lock and the producer, and send, until something breaks."""
        connection = await self.db.connect_worker()
        try:
            await connection.execute(_LEASE)
            await self._wait_for_lock(connection)
            await connection.add_listener(wake_channel(self.db.schema), lambda *_: self._woken.set())
            # A producer that met a fatal error is useless: each term of leadership has its own.
            async with producer(self.settings.kafka, f"relay-{self.db.schema}") as client:
                with self.db.waking(self._woken.set):
                    while True:
                        self._woken.clear()
                        await self._send_waiting(connection, client)
                        with suppress(TimeoutError):
                            async with asyncio.timeout(_POLL_SECONDS):
                                await self._woken.wait()
        finally:
            connection.terminate()

    async def _wait_for_lock(self, connection: Connection) -> None:
        while not await connection.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", self._lock_name):
            self._last_pass = time.monotonic()
            self._measure_nothing()
            await asyncio.sleep(_STANDBY_SECONDS)

    def _measure_nothing(self) -> None:
        """Another process leads now: what was measured here, when it led, must not stand beside its figures."""
        for gauge in (OUTBOX_DEPTH, OUTBOX_AGE_SECONDS):
            gauge.labels(self.db.schema).set(0)

    @property
    def _lock_name(self) -> str:
        return f"relay:{self.db.schema}"

    async def _send_waiting(self, connection: Connection, client: AIOKafkaProducer) -> None:
        """Send batch after batch until none waits; while one is under way, move the one before and read the one after."""
        waiting, sent = await self._read(connection, ()), list[int]()
        while waiting or sent:
            sending = asyncio.create_task(self._send(client, waiting), name=f"send-{self.db.schema}")
            try:
                await self._move(connection, sent)
                # After fewer than asked for there were no more; whoever commits another one wakes us.
                full = len(waiting) == _BATCH
                following = await self._read(connection, [item.id for item in waiting]) if full else []
                outcome = await sending
            finally:
                await end(sending)
            if outcome.broken is not None:
                await self._move(connection, outcome.sent)
                raise outcome.broken
            # What was read meanwhile may follow something that was refused: the order of a key is kept.
            waiting, sent = [item for item in following if item.key not in outcome.held], outcome.sent
            self._last_pass, self._failures = time.monotonic(), 0
        self._last_pass, self._failures = time.monotonic(), 0

    async def _read(self, connection: Connection, under_way: Sequence[int]) -> list[_Waiting]:
        now = time.monotonic()
        self._blocked = {key: until for key, until in self._blocked.items() if until > now}
        topics, keys = zip(*self._blocked, strict=True) if self._blocked else ((), ())
        records = await connection.fetch(_READ, topics, keys, under_way, _BATCH)
        waiting = [_Waiting(id_, OutboxRow(*columns)) for id_, *columns in records]
        await self._observe(connection, waiting, len(under_way))
        return waiting

    async def _move(self, connection: Connection, sent: Sequence[int]) -> None:
        """Keep what was acknowledged in the log instead of the outbox."""
        if sent:
            await connection.execute(_MOVE, sent)
            EVENTS_PUBLISHED.labels(self.db.schema).inc(len(sent))

    async def _observe(self, connection: Connection, waiting: Sequence[_Waiting], under_way: int) -> None:
        depth, oldest = len(waiting) + under_way, min((item.row.recorded_at for item in waiting), default=None)
        if self._blocked or len(waiting) == _BATCH:
            # Counting takes the longer, the more there is.
            if time.monotonic() - self._counted < _COUNT_SECONDS:
                return
            [(depth, oldest)] = await connection.fetch("SELECT count(*), min(recorded_at) FROM outbox")
            self._counted = time.monotonic()
        OUTBOX_DEPTH.labels(self.db.schema).set(depth)
        age = 0.0 if oldest is None else (self.db.clock() - oldest).total_seconds()
        OUTBOX_AGE_SECONDS.labels(self.db.schema).set(age)

    async def _send(self, client: AIOKafkaProducer, waiting: Sequence[_Waiting]) -> _Outcome:
        """Send in id order; once a record of a key is refused, nothing more of that key goes out."""
        outcome, pending = _Outcome(), list[tuple[_Waiting, asyncio.Future[object]]]()
        await self._block_unknown_topics(client, waiting)
        outcome.held.update(self._blocked)
        for item in waiting:
            if item.key not in outcome.held:
                try:
                    pending.append((item, await self._enqueue(client, item.row)))
                except _REFUSALS as refusal:
                    self._hold(outcome, item, refusal)
        for item, future in pending:
            try:
                await future
                outcome.sent.append(item.id)
            except _REFUSALS as refusal:
                self._hold(outcome, item, refusal)
            except KafkaError as error:
                outcome.broken = error
        return outcome

    async def _block_unknown_topics(self, client: AIOKafkaProducer, waiting: Sequence[_Waiting]) -> None:
        """Block the keys of topics that are not there: to send to one would hold up all others until a time limit."""
        for topic in {item.row.topic for item in waiting}:
            if self._unknown.get(topic, 0.0) < time.monotonic():
                await self._look_up(client, topic)
            if topic in self._unknown:
                self._blocked |= {item.key: self._unknown[topic] for item in waiting if item.row.topic == topic}

    async def _look_up(self, client: AIOKafkaProducer, topic: str) -> None:
        self._unknown.pop(topic, None)
        try:
            async with asyncio.timeout(_METADATA_SECONDS):
                await client.partitions_for(self.settings.kafka_prefix + topic)
        except TimeoutError:
            log.error("topic_unknown", context=self.db.schema, topic=topic)  # noqa: TRY400 the name says it all
            self._unknown[topic] = time.monotonic() + _BLOCK_SECONDS

    def _hold(self, outcome: _Outcome, item: _Waiting, refusal: KafkaError) -> None:
        """A record was refused: hold its key back, and nothing else."""
        outcome.held.add(item.key)
        self._blocked[item.key] = time.monotonic() + _BLOCK_SECONDS
        log.error("event_refused", context=self.db.schema, event_id=str(item.row.event_id), exc_info=refusal)

    async def _enqueue(self, client: AIOKafkaProducer, row: OutboxRow) -> asyncio.Future[object]:
        future: asyncio.Future[object] = await client.send(
            self.settings.kafka_prefix + row.topic,
            value=row.data.encode(),
            key=row.key.encode(),
            headers=headers_of(row, self.db.schema),
        )
        return future

    def probe(self) -> None:
        """Raise ProbeFailed when the relay has not completed a pass for too long."""
        silent = time.monotonic() - self._last_pass
        if silent > self.settings.stall_seconds:
            msg = f"the relay has not completed a pass for {silent:.0f} s"
            raise ProbeFailed(msg)


@asynccontextmanager
async def relay(db: Database, settings: Settings) -> AsyncIterator[Probe]:
    """Run the context's relay in the background; gives its readiness probe."""
    worker = Relay(db, settings)
    task = asyncio.create_task(worker.run(), name=f"relay-{db.schema}")
    try:
        yield Probe("relay", worker.probe, task)
    finally:
        await end(task)
