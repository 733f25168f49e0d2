"""How is a run spoilt? In a copy of its database, and where need be of its topics, changed past all that guards them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TypeAlias

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from fillstream.contexts import load_all
from libs.kit.kafka import admin, connection, create_topics, producer, topic_specs
from libs.kit.settings import Settings
from libs.schema.catalogue import TOPICS
from tests.proof.invariants import check
from tests.proof.invariants.topics import partitions_of

Records: TypeAlias = "list[ConsumerRecord[bytes, bytes]]"
_numbers = count(1)


@dataclass
class Spoilt:
    """A copy of a run that may be changed."""

    settings: Settings
    database: asyncpg.Connection[asyncpg.Record]
    _afterwards: list[str] = field(default_factory=list)

    async def sql(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """Change the database as its administrator; references and triggers do not hold."""
        return await self.database.fetch(statement, *arguments)

    async def everywhere(self, statement: str, *, undo: str) -> None:
        """Change what all databases share, until the copy is dropped."""
        self._afterwards.append(undo)
        await self.database.execute(statement)

    async def topics(self, change: Callable[[Records], Records], *, behind: str | None = None) -> None:
        """Let the copy have topics of its own, with other records; the group `behind` has not read the last one."""
        records = change(await _read(self.settings))
        old, new = self.settings.kafka_prefix, f"{self.settings.kafka_prefix}{next(_numbers)}-"
        self.settings = self.settings.model_copy(update={"kafka_prefix": new})
        await create_topics(self.settings.kafka, topic_specs(self.settings, TOPICS))
        async with producer(self.settings.kafka, "spoil") as client:
            for record in records:
                topic = new + record.topic.removeprefix(old)
                place = {"partition": record.partition, "timestamp_ms": record.timestamp}
                await client.send(topic, record.value, record.key, headers=list(record.headers), **place)
        await _commit_ends(self.settings, behind)
        for context in load_all():
            await self.sql(
                f"UPDATE {context.name}.dead_letter SET topic = $2 || substr(topic, length($1) + 1)", old, new
            )

    async def broken(self) -> set[str]:
        """The names of the invariants that are violated."""
        return {violation.invariant for violation in await check(self.settings)}

    async def close(self) -> None:
        """Undo what all databases share, and let the copies go."""
        for statement in self._afterwards:
            await self.database.execute(statement)
        await self.database.close()


@asynccontextmanager
async def a_copy(settings: Settings) -> AsyncIterator[Spoilt]:
    """A copy of the run's database, which must have no connections; its topics are shared as long as nobody copies."""
    server, _, original = settings.database_url.get_secret_value().rpartition("/")
    name = f"spoilt_{os.getpid()}_{next(_numbers)}"
    maker = await asyncpg.connect(f"{server}/postgres")
    await maker.execute(f"CREATE DATABASE {name} TEMPLATE {original}")
    url = f"{server}/{name}"
    spoilt = Spoilt(
        settings.model_copy(update={"database_url": type(settings.database_url)(url)}),
        await asyncpg.connect(url, server_settings={"session_replication_role": "replica"}),
    )
    try:
        yield spoilt
    finally:
        await spoilt.close()
        await maker.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await maker.close()
        if spoilt.settings.kafka_prefix != settings.kafka_prefix:
            async with admin(settings.kafka) as client:
                await client.delete_topics([spoilt.settings.kafka_prefix + topic for topic in TOPICS])


async def _read(settings: Settings) -> Records:
    client = AIOKafkaConsumer(**connection(settings.kafka), client_id="spoil", enable_auto_commit=False)
    partitions = await partitions_of(settings, TOPICS)
    client.assign(partitions)
    await client.start()
    try:
        await client.seek_to_beginning(*partitions)
        ends = await client.end_offsets(partitions)
        records: Records = []
        while len(records) < sum(ends.values()):
            records += [record for batch in (await client.getmany(timeout_ms=200)).values() for record in batch]
        return records
    finally:
        await client.stop()


async def _commit_ends(settings: Settings, behind: str | None) -> None:
    for context in load_all():
        if not context.topics():
            continue
        client = AIOKafkaConsumer(
            **connection(settings.kafka), group_id=settings.kafka_prefix + context.name, enable_auto_commit=False
        )
        partitions: Sequence[TopicPartition] = await partitions_of(settings, context.topics())
        client.assign(partitions)
        await client.start()
        ends = await client.end_offsets(partitions)
        if context.name == behind:
            last = max(ends, key=lambda partition: ends[partition])
            ends[last] -= 1
        await client.commit(ends)
        await client.stop()
