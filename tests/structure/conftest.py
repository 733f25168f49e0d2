"""What do the checks of databases stand on? A migrated database, seen by its administrator."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest


@pytest.fixture
async def admin(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection past row-level security."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()
