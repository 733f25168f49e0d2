"""Where are faults tried? Each job has servers of its own, started once and swept before every fault."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient

from fillstream.embedded.stack import Endpoints, embedded_stack


class Station(Protocol):
    """What a job runs its tests against."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that lead tests to it."""

    async def sweep(self) -> None:
        """Leave nothing of the fault before: databases, topics, and roles, which belong to the whole server."""


OpenStation = Callable[[Path], AbstractAsyncContextManager[Station]]
"""Opens a station with its data under a folder."""


class ServersOfItsOwn:
    """PostgreSQL and Kafka that nobody else uses."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that `tests/conftest.py` looks at."""
        return {
            "TEST_DATABASE_URL": self._endpoints.database_url,
            "TEST_KAFKA_BOOTSTRAP": self._endpoints.kafka_bootstrap,
        }

    async def sweep(self) -> None:
        """Drop all but what the servers came with."""
        await self._sweep_database()
        await self._sweep_topics()

    async def _sweep_database(self) -> None:
        own = self._endpoints.database_url.rpartition("/")[2]
        connection = await asyncpg.connect(self._endpoints.database_url)
        try:
            for (name,) in await connection.fetch(
                "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname NOT IN ('postgres', $1)", own
            ):
                await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            for (name,) in await connection.fetch(
                "SELECT rolname FROM pg_roles WHERE NOT rolsuper AND rolname NOT LIKE 'pg\\_%'"
            ):
                await connection.execute(f'DROP ROLE "{name}"')
        finally:
            await connection.close()

    async def _sweep_topics(self) -> None:
        client = AIOKafkaAdminClient(bootstrap_servers=self._endpoints.kafka_bootstrap)
        try:
            await client.start()
            if topics := [topic for topic in await client.list_topics() if not topic.startswith("__")]:
                await client.delete_topics(topics)
        finally:
            await client.close()


@asynccontextmanager
async def servers_of_its_own(home: Path) -> AsyncIterator[Station]:
    """Start the embedded servers. Raises StackError."""
    async with embedded_stack(home, lambda _: None) as endpoints:
        yield ServersOfItsOwn(endpoints)
