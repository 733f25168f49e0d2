"""How do events come in? Raw batches from FastStream, handled by the inbox, offsets committed after the commit.

FastStream swallows what a subscriber raises and moves on, so nothing is raised to it: an outage is waited out with the
batch in hand, and an event that keeps failing ends among the dead letters.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.message import FAKE_CONSUMER
from faststream.kafka.subscriber.usecase import BatchSubscriber

from libs.kit.db import Database
from libs.kit.dead_letters import Record
from libs.kit.errors import Fatal
from libs.kit.handlers import Handlers, topics_of
from libs.kit.health import Probe, ProbeFailed
from libs.kit.inbox import Arrival, Inbox, read
from libs.kit.kafka import security
from libs.kit.logging import logger
from libs.kit.metrics import CONSUMER_LAG, DEAD_LETTERS
from libs.kit.outages import is_outage
from libs.kit.settings import Settings

log = logger(__name__)

MAX_RECORDS = 1_000
# FastStream waits once more for as long after an empty poll, so this is also the latency that it adds.
_POLL_MS = 10
_ATTEMPT_DELAYS = (0.05, 0.2, 0.5, 1.0)
_OUTAGE_DELAYS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_WATCH_SECONDS = 2.0
_FATAL_STALLS = 4
_STOP_SECONDS = 20.0


@dataclass(eq=False)
class Consumer:
    """Takes one context's events. Run by `consumer`."""

    inbox: Inbox
    settings: Settings
    _progress: float = field(default_factory=time.monotonic)
    _busy: bool = False
    _lag: int = 0
    _unreachable: str | None = None

    async def take(self, records: Sequence[Record]) -> None:
        """Handle a batch to its end, however long an outage lasts."""
        self._busy, self._progress = True, time.monotonic()
        arrivals = [read(record) for record in records]
        try:
            await self._through_outages(lambda: self.inbox.take(arrivals))
        except Fatal:
            raise
        except Exception as error:  # noqa: BLE001 the edge: whatever a handler raises, the batch goes on record by record
            log.warning("batch_failed", context=self.inbox.db.schema, records=len(arrivals), error=repr(error))
            for arrival in arrivals:
                await self._take_one(arrival)
        self._busy, self._progress = False, time.monotonic()

    async def _take_one(self, arrival: Arrival) -> None:
        for attempt, delay in enumerate((*_ATTEMPT_DELAYS, None), start=1):
            try:
                await self._through_outages(lambda: self.inbox.take([arrival]))
            except Fatal:
                raise
            except Exception as error:
                if delay is not None:
                    await asyncio.sleep(delay)
                    continue
                log.exception("event_dead", context=self.inbox.db.schema, offset=arrival.record.offset)
                reason = f"{type(error).__name__}: {error}"
                await self._through_outages(lambda: self.inbox.give_up(arrival, reason, attempt))  # noqa: B023 called at once
            break
        self._progress = time.monotonic()

    async def _through_outages(self, work: Callable[[], Awaitable[None]]) -> None:
        failures = 0
        while True:
            try:
                return await work()
            except Exception as error:
                if not is_outage(error):
                    raise
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
            self._lag = await asyncio.wait_for(self._measure_lag(client), 5 * _WATCH_SECONDS)
            self._unreachable = None
        except (KafkaError, OSError, TimeoutError) as error:
            self._unreachable = f"the broker does not answer: {error!r}"
        try:
            await self._measure_dead_letters()
        except Exception as error:
            if not is_outage(error):
                raise

    async def _measure_lag(self, client: AIOKafkaConsumer) -> int:
        ends: dict[TopicPartition, int] = await client.end_offsets(client.assignment())
        lags: dict[str, int] = {}
        for partition, end in ends.items():
            lags[partition.topic] = lags.get(partition.topic, 0) + end - await client.position(partition)
        for topic, lag in lags.items():
            CONSUMER_LAG.labels(self.inbox.db.schema, topic).set(lag)
        return sum(lags.values())

    async def _measure_dead_letters(self) -> None:
        async with self.inbox.db.work() as tx:
            rows = await tx.fetch("SELECT count(*) FROM dead_letter WHERE resolved_at IS NULL")
        DEAD_LETTERS.labels(self.inbox.db.schema).set(rows[0][0])

    def _stalled_for(self) -> float:
        if self._lag == 0 and not self._busy:
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
        settings.kafka.bootstrap,
        security=security(settings.kafka),
        client_id=f"consumer-{db.schema}",
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
        batch_timeout_ms=_POLL_MS,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.MANUAL,
        parser=_keep_raw,
        decoder=_as_it_is,
    )
    worker = Consumer(Inbox(db, handlers), settings)
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @subscriber
    async def take(records: tuple[Record, ...]) -> None:
        try:
            await worker.take(records)
            await _commit(subscriber, records)
        except Fatal as error:
            failed.set_exception(error)
        except Exception as error:
            log.critical("consumer_broken", context=db.schema, exc_info=error)
            failed.set_exception(Fatal(f"{db.schema} can't go on: {error!r}"))
        else:
            return
        await asyncio.Event().wait()  # nothing more may be taken or committed

    await broker.start()
    task = asyncio.create_task(_first(worker.watch(subscriber), failed), name=f"consumer-{db.schema}")
    try:
        yield Probe("consumer", worker.probe, task)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await broker.stop()


async def _first(watch: Awaitable[None], failed: asyncio.Future[None]) -> None:
    watching = asyncio.ensure_future(watch)
    try:
        await asyncio.wait({watching, failed}, return_when=asyncio.FIRST_COMPLETED)
        for future in (failed, watching):
            if future.done():
                future.result()
    finally:
        watching.cancel()


async def _commit(subscriber: BatchSubscriber, records: Sequence[Record]) -> None:
    """Commit just past these records; what can't be committed will be delivered again and found in the inbox."""
    if subscriber.consumer is None:
        return
    offsets = {TopicPartition(record.topic, record.partition): record.offset + 1 for record in records}
    try:
        await subscriber.consumer.commit(offsets)
    except KafkaError as error:
        log.warning("offsets_not_committed", group=subscriber.group_id, error=repr(error))
