"""What do the checks of databases stand on? One migrated database for all of them; what a check changes is undone."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from fillstream.embedded.stack import Endpoints
from libs.kit.connections import async_url

_NAME = f"structure_{os.getpid()}"


@pytest.fixture(scope="session")
async def house(stack: Endpoints, template: str) -> AsyncIterator[str]:
    """The address of a migrated database that the checks share."""
    admin = await asyncpg.connect(stack.database_url)
    await admin.execute(f"CREATE DATABASE {_NAME} TEMPLATE {template}")
    yield f"{stack.database_url.rpartition('/')[0]}/{_NAME}"
    await admin.execute(f"DROP DATABASE {_NAME} WITH (FORCE)")
    await admin.close()


@pytest.fixture
async def admin(house: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection past row-level security, in a transaction that is rolled back."""
    connection = await asyncpg.connect(house)
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()


@pytest.fixture
async def alembics(house: str) -> AsyncIterator[AsyncConnection]:
    """The same as SQLAlchemy and Alembic have it."""
    engine = create_async_engine(async_url(house), poolclass=NullPool)
    async with engine.connect() as connection:
        yield connection
        await connection.rollback()
    await engine.dispose()
