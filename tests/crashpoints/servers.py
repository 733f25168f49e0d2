"""On what do the runs stand? Servers that start once, and installations cloned from one that is migrated."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import asyncpg

from fillstream.contexts import load_all
from fillstream.embedded.ports import CANDIDATES, is_free
from fillstream.embedded.stack import Endpoints, embedded_stack
from fillstream.installation import Installation
from libs.kit.kafka import admin, create_topics, topic_specs
from libs.kit.migrate import migrate
from libs.kit.settings import Settings
from libs.schema.catalogue import TOPICS
from tests.keysets import keyset_url
from tests.room import a_folder

_numbers = count(1)


@dataclass(frozen=True)
class Servers:
    """PostgreSQL with a migrated template, and Kafka."""

    endpoints: Endpoints
    folder: Path
    """For logs and journals; it goes with the servers."""
    template: str

    @asynccontextmanager
    async def installation(self) -> AsyncIterator[Installation]:
        """A database and topics that nobody has used."""
        name = f"crash_{os.getpid()}_{next(_numbers)}"
        await self._execute(f"CREATE DATABASE {name} TEMPLATE {self.template}")
        values = {
            "database_url": self.endpoints.database_url,
            "kafka_bootstrap": self.endpoints.kafka_bootstrap,
            "kafka_prefix": f"{name}-",
            "kafka_partitions": 2,
            "encryption_key_url": keyset_url(),
            "mail_token_secret": "not much of a secret, but a long one",
            # Often, so that nobody waits for what goes on by itself; and whoever asks again does not ask too often.
            "auth_privacy_seconds": 0.2,
            "auth_exports_per_day": 100,
            # Orders by hand have the time of the clock, so the bars that fill them are yet to come.
            "marketdata_bar_skew_seconds": 1e9,
        }
        where = Installation(values).sibling_database(name)
        settings = where.settings(Settings)
        topics = topic_specs(settings, TOPICS)
        await create_topics(settings.kafka, topics)
        try:
            yield where
        finally:
            async with admin(settings.kafka) as client:
                await client.delete_topics([topic.name for topic in topics])
            await self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def _execute(self, sql: str) -> None:
        connection = await asyncpg.connect(self.endpoints.database_url)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()


@asynccontextmanager
async def servers() -> AsyncIterator[Servers]:
    """Embedded servers under a folder of their own."""
    with a_folder("fillstream-crashpoints-") as folder:
        async with embedded_stack(Path(folder) / "home", lambda _: None) as endpoints:
            yield await prepared(endpoints, Path(folder))


async def prepared(endpoints: Endpoints, folder: Path) -> Servers:
    """Servers that run already, with a template of ours."""
    made = Servers(endpoints, folder, f"crash_template_{os.getpid()}")
    await made._execute(f"CREATE DATABASE {made.template}")  # noqa: SLF001
    url = Installation({"database_url": endpoints.database_url, "kafka_bootstrap": endpoints.kafka_bootstrap})
    settings = url.sibling_database(made.template).settings(Settings)
    await migrate(
        settings.database_url.get_secret_value(),
        [context.source for context in load_all()],
        settings.event_retention_days,
    )
    return made


def free_port() -> int:
    """A port that nobody listens at, outside the range that outgoing connections take."""
    while True:
        port = random.choice(CANDIDATES)
        if is_free(port):
            return port
