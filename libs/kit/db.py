"""How does code reach the database? Through a transaction that knows its role, tenant, time and events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import asyncpg
from sqlalchemy import Executable, Result, Select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import QueuePool

from libs.kit.cancellation import uninterrupted
from libs.kit.ids import uuid7
from libs.kit.metrics import POOL_IN_USE, POOL_SIZE
from libs.kit.model import Aggregate
from libs.kit.outages import DATABASE_ERRORS, DatabaseAway, is_outage
from libs.kit.outbox import OutboxRow, insert_outbox, outbox_row
from libs.kit.settings import Settings
from libs.schema.event import Cause, DomainEvent

if TYPE_CHECKING:
    from asyncpg import Record

T = TypeVar("T")
Role = Literal["api", "worker"]
# A frozen process must not hold its locks for longer; no work between two statements takes near as long.
_IDLE_IN_TRANSACTION_MS = 5_000
_STATEMENT_MS = 60_000
_CONNECT_SECONDS = 10
# The server ends a statement before that; what is still silent then has lost its server.
_SILENCE_SECONDS = 65


def async_url(url: str) -> str:
    """A libpq URL in SQLAlchemy's words for asyncpg."""
    return urlunsplit(urlsplit(url)._replace(scheme="postgresql+asyncpg"))


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

    session: AsyncSession
    schema: str
    now: datetime
    cause: Cause
    _outbox: list[OutboxRow] = field(default_factory=list)

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
        await self.session.flush()

    async def execute(self, statement: Executable) -> Result[tuple[object, ...]]:
        """Run a Core or ORM statement."""
        return await self.session.execute(statement)

    async def scalar(self, statement: Select[T]) -> T | None:
        """The first column of the first row, or None."""
        found: T | None = await self.session.scalar(statement)
        return found

    async def scalars(self, statement: Select[T]) -> Sequence[T]:
        """The first column of every row."""
        return (await self.session.scalars(statement)).all()

    async def fetch(self, sql: str, *arguments: object) -> list[Record]:
        """Run one statement as asyncpg does, with `$1` for the first argument: for set-based hot paths."""
        connection = await self.session.connection()
        raw = await connection.get_raw_connection()
        driver = raw.driver_connection
        if not isinstance(driver, asyncpg.Connection):
            msg = "the transaction is not on asyncpg"
            raise TypeError(msg)
        try:
            rows: list[Record] = await driver.fetch(sql, *arguments)
        except asyncpg.InterfaceError as error:
            if driver.is_closed():
                raise DatabaseAway(f"the connection is lost: {error}") from error
            raise
        return rows

    async def write_events(self) -> None:
        """Write what was published; the edge calls it right before the commit, when all locks are held."""
        await self.session.flush()
        if self._outbox:
            rows, self._outbox = self._outbox, []
            await insert_outbox(self.fetch, self.schema, rows)


class Database:
    """The two pools of a context: `api`, held to one tenant a transaction, and `worker`, which serves them all."""

    def __init__(self, schema: str, url: str, engines: dict[Role, AsyncEngine], clock: Clock = utc_now) -> None:
        self.schema = schema
        self.clock = clock
        self._url = url
        self._engines = engines

    @asynccontextmanager
    async def transaction(self, tenant_id: UUID, cause: Cause | None = None) -> AsyncIterator[Tx]:
        """A transaction that sees and writes rows of one workspace alone. Commits unless the body raises."""
        async with self._begin("api", str(tenant_id), cause) as tx:
            yield tx

    @asynccontextmanager
    async def public(self, cause: Cause | None = None) -> AsyncIterator[Tx]:
        """A transaction of the API that sees no workspace's rows, only what belongs to everybody."""
        async with self._begin("api", "", cause) as tx:
            yield tx

    @asynccontextmanager
    async def work(self, cause: Cause | None = None) -> AsyncIterator[Tx]:
        """A transaction of a consumer: rows of every workspace, so statements name the tenant themselves."""
        async with self._begin("worker", "", cause) as tx:
            yield tx

    @asynccontextmanager
    async def _begin(self, role: Role, tenant: str, cause: Cause | None) -> AsyncIterator[Tx]:
        """A transaction. Raises DatabaseAway when it can't begin, or is cut off."""
        try:
            async with _session(self._engines[role]) as session:
                await _take_on(session, tenant)
                tx = Tx(session, self.schema, self.clock(), cause or Cause(uuid7()))
                yield tx
                await tx.write_events()
                # A cancellation in the middle of COMMIT would leave the connection with an open transaction.
                await uninterrupted(session.commit())
        except DATABASE_ERRORS as error:
            if is_outage(error):
                raise DatabaseAway(f"the transaction was cut off: {error!r}") from error
            raise

    async def connect_worker(self) -> asyncpg.Connection[Record]:
        """A connection of its own, outside the pool, with the worker's role: for locks and LISTEN."""
        connection: asyncpg.Connection[Record] = await asyncpg.connect(
            self._url,
            timeout=_CONNECT_SECONDS,
            command_timeout=_SILENCE_SECONDS,
            server_settings=_server_settings(self.schema, "worker"),
        )
        return connection

    def observe_pools(self) -> None:
        """Bring the pool metrics up to date."""
        for role, engine in self._engines.items():
            if isinstance(engine.pool, QueuePool):
                POOL_IN_USE.labels(self.schema, role).set(engine.pool.checkedout())
                POOL_SIZE.labels(self.schema, role).set(engine.pool.size())


@asynccontextmanager
async def _session(engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    session = AsyncSession(engine, expire_on_commit=False)
    try:
        yield session
    finally:
        await uninterrupted(session.close())


async def _take_on(session: AsyncSession, tenant: str) -> None:
    """Begin, for a tenant or none. Raises DatabaseAway for whatever goes wrong: no work of ours has begun yet."""
    try:
        # Local to the transaction, so that a pooled connection carries no tenant into the next one.
        await session.execute(text("SELECT set_config('app.tenant_id', :tenant, true)"), {"tenant": tenant})
    except DATABASE_ERRORS as error:
        raise DatabaseAway(f"no transaction can begin: {error!r}") from error


def _server_settings(schema: str, role: Role) -> dict[str, str]:
    return {
        "role": f"{schema}_{role}",
        "search_path": schema,
        "application_name": f"fillstream-{schema}-{role}",
        "timezone": "UTC",
        "idle_in_transaction_session_timeout": str(_IDLE_IN_TRANSACTION_MS),
        "statement_timeout": str(_STATEMENT_MS),
    }


def _engine(settings: Settings, schema: str, role: Role) -> AsyncEngine:
    return create_async_engine(
        async_url(settings.database_url.get_secret_value()),
        pool_size=settings.database_pool_size,
        max_overflow=0,
        # Errors are logged, and parameters hold what must not be.
        hide_parameters=True,
        pool_pre_ping=True,
        connect_args={
            "server_settings": _server_settings(schema, role),
            "timeout": _CONNECT_SECONDS,
            "command_timeout": _SILENCE_SECONDS,
        },
    )


@asynccontextmanager
async def database(settings: Settings, schema: str, clock: Clock = utc_now) -> AsyncIterator[Database]:
    """The database of a context, connected when first used, disconnected at the end."""
    engines: dict[Role, AsyncEngine] = {
        "api": _engine(settings, schema, "api"),
        "worker": _engine(settings, schema, "worker"),
    }
    try:
        yield Database(schema, settings.database_url.get_secret_value(), engines, clock)
    finally:
        for engine in engines.values():
            await engine.dispose()
