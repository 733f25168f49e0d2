"""What is around a context under test? Other contexts' events go in, its own come out, callers hold tokens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

from fillstream.contexts import Context, load
from fillstream.inflight import watch_in_flight
from libs.kit.codec import Undecodable, UnknownType, decode, headers_of
from libs.kit.db import Database, utc_now
from libs.kit.ids import uuid7
from libs.kit.kafka import admin, connection, create_topics, producer, topic_specs
from libs.kit.outbox import OutboxRow, outbox_row
from libs.kit.service import Service
from libs.kit.settings import Settings
from libs.schema.catalogue import TOPICS
from libs.schema.event import Cause, DomainEvent, Envelope
from tests.issuer import ALL_SCOPES, Issuer

E = TypeVar("E", bound=DomainEvent)
T = TypeVar("T")
PATIENCE_SECONDS = 60.0
"""How long a test waits for what has to come, on a machine whose cores others may keep busy. It ends as soon as that is there."""


async def eventually(what: Callable[[], Awaitable[T]], *, patience: float = PATIENCE_SECONDS) -> T:
    """Call until it raises no AssertionError and give its answer; after `patience` seconds the error counts."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return await what()
        except AssertionError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.02)


async def until_blocked(fetch: Callable[[str], Awaitable[Sequence[object]]]) -> None:
    """Wait until somebody waits for another one's lock in the database that is asked."""

    async def waits() -> None:
        assert await fetch(
            "SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = current_database()"
        ), "nobody waits for a lock"

    await eventually(waits)


class ServiceClient(AsyncClient):
    """A client of a service in this process, which knows what is behind the service."""

    def __init__(self, app: FastAPI, headers: dict[str, str]) -> None:
        transport = ASGITransport(app, raise_app_exceptions=False)
        super().__init__(transport=transport, base_url="http://service", headers=headers, timeout=PATIENCE_SECONDS)
        self.db: Database = app.state.db


@dataclass
class Running:
    """A context at work in this process."""

    context: Context
    service: Service
    issuer: Issuer
    _clients: AsyncExitStack

    @property
    def db(self) -> Database:
        """Its database."""
        db: Database = self.service.http.state.db
        return db

    async def client(self, tenant_id: UUID, scopes: tuple[str, ...] = ALL_SCOPES) -> AsyncClient:
        """An HTTP client that acts for a workspace."""
        headers = {"Authorization": f"Bearer {self.issuer.token(tenant_id, scopes=scopes)}"}
        return await self._enter(headers)

    async def anonymous(self) -> AsyncClient:
        """An HTTP client without a token."""
        return await self._enter({})

    async def _enter(self, headers: dict[str, str]) -> AsyncClient:
        return await self._clients.enter_async_context(ServiceClient(self.service.http, headers))


@dataclass
class World:
    """The surroundings of contexts under test."""

    settings: Settings
    issuer: Issuer
    _producer: AIOKafkaProducer
    _seen: list[Envelope[DomainEvent]] = field(default_factory=list)
    _sequences: dict[UUID, int] = field(default_factory=dict)

    def settings_of(self, name: str, **changes: object) -> Settings:
        """The settings of a context in this installation."""
        return load(name).settings(**(self.settings.model_dump() | changes))

    @asynccontextmanager
    async def running(self, name: str, **changes: object) -> AsyncIterator[Running]:
        """Run a context as its process would, with `changes` to its settings."""
        context = load(name)
        async with context.service(self.settings_of(name, **changes)) as service, AsyncExitStack() as clients:
            yield Running(context, service, self.issuer, clients)

    def envelope(
        self, event: E, *, tenant_id: UUID | None = None, subject: UUID | None = None, sequence: int | None = None
    ) -> OutboxRow:
        """An event of another context, ready to be sent once or more often."""
        about = subject or uuid7()
        self._sequences[about] = sequence or self._sequences.get(about, 0) + 1
        return outbox_row(event, about, self._sequences[about], tenant_id, Cause(uuid7()), utc_now())

    async def send(self, *rows: OutboxRow) -> None:
        """Put events into their topics, in this order."""
        for row in rows:
            await self.send_raw(
                row.topic, row.key.encode(), row.data.encode(), headers_of(row, row.topic.split(".")[0])
            )

    async def send_raw(
        self, topic: str, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]] | None = None
    ) -> None:
        """Put any record into a topic."""
        await self._producer.send_and_wait(self.settings.kafka_prefix + topic, value, key, headers=headers or [])

    async def publish(self, event: DomainEvent, *, tenant_id: UUID | None = None, subject: UUID | None = None) -> UUID:
        """Let another context tell an event once; gives the event's id."""
        row = self.envelope(event, tenant_id=tenant_id, subject=subject)
        await self.send(row)
        return row.event_id

    def published(self, kind: type[E]) -> list[Envelope[E]]:
        """The events of a kind that are in the topics by now, without redeliveries."""
        unique = {envelope.id: envelope for envelope in self._seen if isinstance(envelope.event, kind)}
        return list(unique.values())  # type: ignore[arg-type]

    async def expect(self, kind: type[E], count: int) -> list[Envelope[E]]:
        """Wait until `count` events of a kind are published; more than that fails."""

        async def enough() -> list[Envelope[E]]:
            found = self.published(kind)
            assert len(found) >= count, f"{len(found)} of {count} {kind.__name__} published"
            return found

        found = await eventually(enough)
        assert len(found) == count, f"{len(found)} {kind.__name__} published, {count} expected"
        return found

    async def settled(self, *names: str) -> None:
        """Wait until nothing is in flight in these contexts."""
        async with watch_in_flight([load(name) for name in names], self.settings_of(names[0])) as in_flight:
            await in_flight.wait_until_none()

    async def fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """Ask the database as its administrator, past row-level security."""
        admin = await asyncpg.connect(self.settings.database_url.get_secret_value())
        try:
            return await admin.fetch(sql, *arguments)
        finally:
            await admin.close()

    async def _listen(self, client: AIOKafkaConsumer) -> None:
        async for record in client:
            # What a test sends raw and nobody can read is nothing that a context told.
            with suppress(Undecodable, UnknownType):
                self._seen.append(decode(record.headers, record.value))


@asynccontextmanager
async def topics_of(settings: Settings) -> AsyncIterator[None]:
    """The topics of an installation, gone afterwards: those of thousands of tests are more than a broker's memory holds."""
    specs = topic_specs(settings, TOPICS)
    await create_topics(settings.kafka, specs)
    yield
    async with admin(settings.kafka) as client:
        await client.delete_topics([spec.name for spec in specs])


@asynccontextmanager
async def running_world(settings: Settings, issuer: Issuer) -> AsyncIterator[World]:
    """The surroundings, listening to every topic."""
    client = AIOKafkaConsumer(
        *(settings.kafka_prefix + topic for topic in TOPICS),
        **connection(settings.kafka),
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    async with producer(settings.kafka, "world") as sender:
        world = World(settings, issuer, sender)
        await client.start()
        task = asyncio.create_task(world._listen(client))  # noqa: SLF001
        yield world
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client.stop()
