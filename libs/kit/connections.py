"""How does a transaction get a connection, begin, and end? A pool's, in one round trip each, given back clean."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import asyncpg
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from libs.kit.cancellation import uninterrupted
from libs.kit.outages import DATABASE_ERRORS, CutOff, DatabaseAway
from libs.kit.settings import Settings

if TYPE_CHECKING:
    from asyncpg import Record

Role = Literal["api", "worker"]
Driver: TypeAlias = "asyncpg.Connection[Record]"
# A consumer works on one transaction at a time; its measurements and the probes take the rest.
_WORKER_CONNECTIONS = 4
IDLE_IN_TRANSACTION_SECONDS = 5
"""A frozen process must not hold its locks for longer: the server ends a transaction that is silent for so long."""
_STATEMENT_MS = 60_000
_CONNECT_SECONDS = 10
# The server ends a statement before that; what is still silent then has lost its server.
_SILENCE_SECONDS = 65


def async_url(url: str) -> str:
    """A libpq URL in SQLAlchemy's words for asyncpg."""
    return urlunsplit(urlsplit(url)._replace(scheme="postgresql+asyncpg"))


def engine(settings: Settings, schema: str, role: Role) -> AsyncEngine:
    """A pool of connections that work in a context's schema with one of its roles."""
    size = settings.database_pool_size
    made = create_async_engine(
        async_url(settings.database_url.get_secret_value()),
        pool_size=size if role == "api" else min(size, _WORKER_CONNECTIONS),
        max_overflow=0,
        # Errors are logged, and parameters hold what must not be.
        hide_parameters=True,
        # Transactions are begun and ended here, each in one round trip together with all that belongs to it.
        isolation_level="AUTOCOMMIT",
        connect_args={
            "server_settings": _server_settings(schema, role),
            "timeout": _CONNECT_SECONDS,
            "command_timeout": _SILENCE_SECONDS,
        },
    )
    event.listen(made.sync_engine, "checkout", _replace_when_lost)
    return made


async def connect_alone(url: str, schema: str, role: Role) -> Driver:
    """A connection outside of all pools."""
    connection: Driver = await asyncpg.connect(
        url,
        timeout=_CONNECT_SECONDS,
        command_timeout=_SILENCE_SECONDS,
        server_settings=_server_settings(schema, role),
    )
    return connection


@asynccontextmanager
async def lent(pool: AsyncEngine) -> AsyncIterator[tuple[AsyncConnection, Driver]]:
    """A connection, given back without an open transaction. Raises DatabaseAway when there is none."""
    try:
        connection = await pool.connect()
    except DATABASE_ERRORS as error:
        raise DatabaseAway(f"there is no connection: {error!r}") from error
    driver = await _driver_of(connection)
    try:
        yield connection, driver
    finally:
        try:
            if not driver.is_closed() and driver.is_in_transaction():
                await uninterrupted(_roll_back(driver))
        finally:
            # Takes no turn of the loop, so that no cancellation comes between.
            await connection.close()


@asynccontextmanager
async def begun(pool: AsyncEngine, tenant_id: UUID | None) -> AsyncIterator[tuple[AsyncConnection, Driver]]:
    """A connection with an open transaction for a tenant or none, which is rolled back unless it is committed.

    Raises DatabaseAway for whatever goes wrong before the body: no work of ours has begun yet.
    """
    tenant = "" if tenant_id is None else str(tenant_id)
    async with lent(pool) as (connection, driver):
        try:
            with told_when_lost(driver):
                # Local to the transaction, so that a pooled connection carries no tenant into the next one.
                await driver.execute(f"BEGIN; SELECT set_config('app.tenant_id', '{tenant}', true)")
        except (CutOff, *DATABASE_ERRORS) as error:
            raise DatabaseAway(f"no transaction can begin: {error!r}") from error
        yield connection, driver


async def commit(driver: Driver) -> None:
    """End the transaction well, even when we are cancelled meanwhile."""
    with told_when_lost(driver):
        # A cancellation in the middle of COMMIT would leave the connection with an open transaction.
        await uninterrupted(driver.execute("COMMIT"))


@contextmanager
def told_when_lost(driver: Driver) -> Iterator[None]:
    """Make an outage of what the driver says of a connection that is gone."""
    try:
        yield
    except asyncpg.InterfaceError as error:
        if driver.is_closed():
            raise CutOff(f"the connection is lost: {error}") from error
        raise


async def _roll_back(driver: Driver) -> None:
    try:
        await driver.execute("ROLLBACK")
    except DATABASE_ERRORS:
        # The pool replaces it.
        driver.terminate()


async def _driver_of(connection: AsyncConnection) -> Driver:
    raw = await connection.get_raw_connection()
    driver = raw.driver_connection
    if not isinstance(driver, asyncpg.Connection):
        msg = "the connection is not asyncpg's"
        raise TypeError(msg)
    return driver


def _replace_when_lost(connection: object, _record: object, _proxy: object) -> None:
    """Tell the pool to connect anew. The driver knows of a connection's end by itself: asking would cost a round trip."""
    driver = getattr(connection, "driver_connection", None)
    if isinstance(driver, asyncpg.Connection) and driver.is_closed():
        raise DisconnectionError


def _server_settings(schema: str, role: Role) -> dict[str, str]:
    return {
        "role": f"{schema}_{role}",
        "search_path": schema,
        "application_name": f"fillstream-{schema}-{role}",
        "timezone": "UTC",
        "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS}s",
        "statement_timeout": str(_STATEMENT_MS),
    }
