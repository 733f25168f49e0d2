"""How does code reach the database? Through a transaction that knows its role, tenant, time and events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TypeVar, TypeVarTuple
from uuid import UUID

from sqlalchemy import Executable, Result, Row, Select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession
from sqlalchemy.pool import QueuePool
from sqlalchemy.sql.dml import ReturningInsert

from libs.kit.connections import Driver, Role, begun, commit, connect_alone, engine, lent, told_when_lost
from libs.kit.ids import uuid7
from libs.kit.metrics import POOL_IN_USE, POOL_SIZE
from libs.kit.model import Aggregate
from libs.kit.outages import DATABASE_ERRORS, CutOff, is_outage
from libs.kit.outbox import OutboxRow, insert_outbox, notify_relay, outbox_row
from libs.kit.settings import Settings
from libs.schema.event import Cause, DomainEvent

if TYPE_CHECKING:
    from asyncpg import Record

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Clock(Protocol):
    """Where the time comes from."""

    def __call__(self) -> datetime:
        """The present moment, aware, in UTC."""


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


@dataclass(eq=False)
class Tx:
    """One open transaction. Whoever gets it may read, write and publish, but never commits."""

    connection: AsyncConnection
    driver: Driver
    schema: str
    now: datetime
    cause: Cause
    _outbox: list[OutboxRow] = field(default_factory=list)
    _session: AsyncSession | None = None

    @property
    def session(self) -> AsyncSession:
        """The ORM's view of the transaction, made when it is first asked for: hot paths do without."""
        if self._session is None:
            self._session = AsyncSession(self.connection, expire_on_commit=False)
        return self._session

    def publish(self, aggregate: Aggregate, *events: DomainEvent, cause: Cause | None = None) -> None:
        """Tell the world what happened to an aggregate whose lock this transaction holds.

        Each event takes the aggregate's next version as its sequence. `cause` is the event that a handler follows;
        it may be left out where one request causes all that the transaction does.
        """
        for event in events:
            aggregate.version += 1
            row = outbox_row(event, aggregate.id, aggregate.version, aggregate.tenant, cause or self.cause, self.now)
            self._outbox.append(row)

    def add(self, *entities: object) -> None:
        """Let new mapped objects be inserted."""
        self.session.add_all(entities)

    async def delete(self, entity: object) -> None:
        """Let a mapped object be deleted."""
        await self.session.delete(entity)

    async def flush(self) -> None:
        """Write what has changed in mapped objects, so that the next statement sees it."""
        if self._session is not None:
            await self._session.flush()

    async def execute(self, statement: Executable) -> Result[tuple[object, ...]]:
        """Run a Core or ORM statement."""
        return await self.session.execute(statement)

    async def scalar(self, statement: Select[T] | ReturningInsert[T]) -> T | None:
        """The first column of the first row, or None."""
        found: T | None = await self.session.scalar(statement)
        return found

    async def row(self, statement: Select[*Ts]) -> Row[*Ts] | None:
        """The only row, or None."""
        return (await self.session.execute(statement)).one_or_none()

    async def scalars(self, statement: Select[T] | ReturningInsert[T]) -> Sequence[T]:
        """The first column of every row."""
        return (await self.session.scalars(statement)).all()

    async def fetch(self, sql: str, *arguments: object) -> list[Record]:
        """Run one statement as asyncpg does, with `$1` for the first argument: for set-based hot paths."""
        with told_when_lost(self.driver):
            rows: list[Record] = await self.driver.fetch(sql, *arguments)
        return rows

    async def detach(self) -> None:
        """Let go of mapped objects: they are values from now on. Takes no turn of the loop: nothing can be cancelled."""
        if self._session is not None:
            await self._session.close()

    async def write_events(self) -> bool:
        """Write what was published; whether there was anything.

        The edge calls it right before the commit, when all locks are held.
        """
        await self.flush()
        if not self._outbox:
            return False
        rows, self._outbox = self._outbox, []
        await insert_outbox(self.fetch, self.schema, rows)
        return True


class Database:
    """The two pools of a context: `api`, held to one tenant a transaction, and `worker`, which serves them all."""

    def __init__(self, schema: str, url: str, engines: dict[Role, AsyncEngine], clock: Clock = utc_now) -> None:
        self.schema = schema
        self.clock = clock
        self._url = url
        self._engines = engines
        self._wake: Callable[[], None] | None = None

    @asynccontextmanager
    async def transaction(self, tenant_id: UUID, cause: Cause | None = None) -> AsyncIterator[Tx]:
        """A transaction that sees and writes rows of one workspace alone. Commits unless the body raises."""
        async with self._begin("api", tenant_id, cause) as tx:
            yield tx

    @asynccontextmanager
    async def public(self, cause: Cause | None = None) -> AsyncIterator[Tx]:
        """A transaction of the API that sees no workspace's rows, only what belongs to everybody."""
        async with self._begin("api", None, cause) as tx:
            yield tx

    @asynccontextmanager
    async def work(self, cause: Cause | None = None) -> AsyncIterator[Tx]:
        """A transaction of a consumer: rows of every workspace, so statements name the tenant themselves."""
        async with self._begin("worker", None, cause) as tx:
            yield tx

    async def fetch_alone(self, sql: str, *arguments: object) -> list[Record]:
        """Run one statement of the API that is a transaction by itself: it sees no workspace's rows. One round trip.

        Raises DatabaseAway.
        """
        with _told_when_cut_off():
            async with lent(self._engines["api"]) as (_, driver):
                with told_when_lost(driver):
                    rows: list[Record] = await driver.fetch(sql, *arguments)
        return rows

    @asynccontextmanager
    async def _begin(self, role: Role, tenant_id: UUID | None, cause: Cause | None) -> AsyncIterator[Tx]:
        """A transaction. Raises DatabaseAway when it can't begin, or is cut off."""
        with _told_when_cut_off():
            async with begun(self._engines[role], tenant_id) as (connection, driver):
                tx = Tx(connection, driver, self.schema, self.clock(), cause or Cause(uuid7()))
                try:
                    yield tx
                    await self._commit(tx)
                finally:
                    await tx.detach()

    async def _commit(self, tx: Tx) -> None:
        published = await tx.write_events()
        wake = self._wake
        if published and wake is None:
            # Commits that notify wait for each other: only where the relay is elsewhere.
            await notify_relay(tx.fetch, self.schema)
        await commit(tx.driver)
        if published and wake is not None:
            wake()

    @contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """Call `wake` after each commit that published something: this process's own relay sends the events now."""
        self._wake = wake
        try:
            yield
        finally:
            self._wake = None

    async def connect_worker(self) -> Driver:
        """A connection of its own, outside the pool, with the worker's role: for locks and LISTEN."""
        return await connect_alone(self._url, self.schema, "worker")

    def observe_pools(self) -> None:
        """Bring the pool metrics up to date."""
        for role, one in self._engines.items():
            if isinstance(one.pool, QueuePool):
                POOL_IN_USE.labels(self.schema, role).set(one.pool.checkedout())
                POOL_SIZE.labels(self.schema, role).set(one.pool.size())


@contextmanager
def _told_when_cut_off() -> Iterator[None]:
    """Make an outage of what the driver says when the server goes in the middle of a transaction."""
    try:
        yield
    except DATABASE_ERRORS as error:
        if is_outage(error):
            raise CutOff(f"the transaction was cut off: {error!r}") from error
        raise


@asynccontextmanager
async def database(settings: Settings, schema: str, clock: Clock = utc_now) -> AsyncIterator[Database]:
    """The database of a context, connected when first used, disconnected at the end."""
    engines: dict[Role, AsyncEngine] = {
        "api": engine(settings, schema, "api"),
        "worker": engine(settings, schema, "worker"),
    }
    try:
        yield Database(schema, settings.database_url.get_secret_value(), engines, clock)
    finally:
        for pool in engines.values():
            await pool.dispose()
