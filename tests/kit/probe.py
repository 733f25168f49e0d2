"""A context of the tests alone: it counts fills for workspaces and notes bars, and can be made to fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import UUID

import asyncpg
from sqlalchemy import BigInteger, Identity, MetaData, UniqueConstraint, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libs.kit.backbone import add_backbone
from libs.kit.consumer import consumer
from libs.kit.crypto.data_keys import add_data_keys
from libs.kit.crypto.places import Sealed
from libs.kit.db import Database, Tx, database
from libs.kit.handlers import Handlers, on
from libs.kit.health import Probe
from libs.kit.migrate import SchemaSource
from libs.kit.model import TenantOwned
from libs.kit.settings import Settings
from libs.schema.event import DomainEvent, Envelope
from libs.schema.marketdata import BarClosed
from libs.schema.notifications import NotificationDelivered, NotificationType
from libs.schema.orders import OrderFilled

SOURCE = SchemaSource("probe", Path(__file__).parent / "migrations")


class Base(DeclarativeBase):
    metadata = MetaData(schema="probe")


add_backbone(Base.metadata)
add_data_keys(Base.metadata)


class Counter(TenantOwned, Base):
    """A number of a workspace; tells when it grows."""

    __tablename__ = "counter"
    __table_args__ = (UniqueConstraint("tenant_id", "name", name="counter_name"),)

    name: Mapped[str]
    value: Mapped[int] = mapped_column(BigInteger)

    def count(self, at: datetime) -> list[NotificationDelivered]:
        self.value += 1
        return [
            NotificationDelivered(
                occurred_at=at,
                notification_id=self.id,
                workspace_id=self.tenant_id,
                notification_type=NotificationType.SYSTEM,
                title=f"{self.name} {self.value}",
            )
        ]


class Effect(Base):
    """An event that was handled."""

    __tablename__ = "effect"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    event_id: Mapped[UUID]
    key: Mapped[str]
    sequence: Mapped[int] = mapped_column(BigInteger)


class Secret(Base):
    """What a workspace hides; its number is the word in the clear, so that a test can tell what it should be."""

    __tablename__ = "secret"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    number: Mapped[int] = mapped_column(BigInteger)
    word: Mapped[Sealed]
    hint: Mapped[Sealed | None]


async def count_up(tx: Tx, tenant_id: UUID, name: str) -> Counter:
    """One more; the counter is made when it is missing."""
    statement = select(Counter).where(Counter.tenant_id == tenant_id, Counter.name == name).with_for_update()
    counter = await tx.scalar(statement)
    if counter is None:
        counter = Counter(tenant_id=tenant_id, name=name, value=0)
        tx.add(counter)
        await tx.flush()
    tx.publish(counter, *counter.count(tx.now))
    return counter


def _nothing(_envelope: Envelope[DomainEvent]) -> None:
    """No fault."""


@dataclass
class Faults:
    """What a test makes the handlers do."""

    before: Callable[[Envelope[DomainEvent]], None] = _nothing
    """Called before the effect of each event; may raise."""
    go: asyncio.Event = field(default_factory=asyncio.Event)
    """Handlers wait while it is not set."""
    called: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a handler is called."""
    waves: list[int] = field(default_factory=list)
    """How many events each call of a handler got."""

    def __post_init__(self) -> None:
        self.go.set()

    async def enter(self, envelopes: Sequence[Envelope[DomainEvent]]) -> None:
        self.waves.append(len(envelopes))
        self.called.set()
        await self.go.wait()
        for envelope in envelopes:
            self.before(envelope)


async def _note(tx: Tx, envelopes: Sequence[Envelope[DomainEvent]]) -> None:
    await tx.fetch(
        "INSERT INTO probe.effect (event_id, key, sequence) SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[])",
        [envelope.id for envelope in envelopes],
        [envelope.event.partition_key() for envelope in envelopes],
        [envelope.sequence for envelope in envelopes],
    )


def handlers(faults: Faults) -> Handlers:
    """What the context listens to."""

    @on(BarClosed)
    async def note_bars(tx: Tx, envelopes: Sequence[Envelope[BarClosed]]) -> None:
        await _note(tx, envelopes)
        await faults.enter(envelopes)

    @on(OrderFilled)
    async def count_fills(tx: Tx, envelopes: Sequence[Envelope[OrderFilled]]) -> None:
        await _note(tx, envelopes)
        for envelope in envelopes:
            await count_up(tx, envelope.tenant, "fills")
        await faults.enter(envelopes)

    return (note_bars, count_fills)


@dataclass
class Consuming:
    """The context's consumer at work."""

    db: Database
    faults: Faults
    probe: Probe


@asynccontextmanager
async def consuming(settings: Settings, faults: Faults) -> AsyncIterator[Consuming]:
    """Consume as the context's process would."""
    async with database(settings, "probe") as db, consumer(db, settings, handlers(faults)) as probe:
        yield Consuming(db, faults, probe)


@dataclass(frozen=True)
class Admin:
    """The database as its superuser sees and treats it."""

    url: str

    async def fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetch(sql, *arguments)
        finally:
            await connection.close()

    async def effects(self) -> list[tuple[str, int]]:
        """Key and sequence of every effect, in the order in which they happened."""
        rows = await self.fetch("SELECT key, sequence FROM probe.effect ORDER BY id")
        return [(row[0], row[1]) for row in rows]

    async def letters(self) -> list[tuple[str | None, str, str]]:
        """Key, state and error of every dead letter, in the order of their burial."""
        rows = await self.fetch("SELECT key, state, error FROM probe.dead_letter ORDER BY id")
        return [(None if row[0] is None else row[0].decode(), row[1], row[2]) for row in rows]

    async def kill_connections(self, application: str = "fillstream-probe-%") -> None:
        """End the context's connections as a restart of the server would."""
        await self.fetch(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name LIKE $1",
            application,
        )

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Refuse all connections to the database."""
        other = await asyncpg.connect(self.url.rpartition("/")[0] + "/postgres")
        name = self.url.rpartition("/")[2]
        try:
            await other.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            await other.fetch("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1", name)
            yield
        finally:
            await other.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            await other.close()
