"""Is anything in flight? Not when outboxes are empty, all groups stand at the end, and then both still hold."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from fillstream.contexts import Context
from libs.kit.errors import FillstreamError
from libs.kit.kafka import admin, offsets_reader
from libs.kit.settings import Settings

Offsets = Mapping[TopicPartition, int]
_POLL_SECONDS = 0.002


class NeverQuiet(FillstreamError):
    """Something stayed in flight for longer than allowed; the text says what."""


@dataclass(eq=False)
class InFlight:
    """Looks at all outboxes and all consumer groups of an installation."""

    contexts: Sequence[Context]
    settings: Settings
    database: asyncpg.Connection[asyncpg.Record]
    admin: AIOKafkaAdminClient
    client: AIOKafkaConsumer
    partitions: Sequence[TopicPartition]
    subscriptions: Mapping[str, frozenset[str]]
    """The topics of each consumer group."""

    async def wait_until_none(self, timeout_seconds: float = 60.0) -> None:
        """Return when nothing is in flight. Raises NeverQuiet after `timeout_seconds`."""
        deadline = time.monotonic() + timeout_seconds
        while (busy := await self._what_is_busy()) is not None:
            if time.monotonic() > deadline:
                raise NeverQuiet(f"after {timeout_seconds:.0f} s there is still in flight: {busy}")
            await asyncio.sleep(_POLL_SECONDS)

    async def _what_is_busy(self) -> str | None:
        if waiting := await self._waiting_events():
            return f"events in the outbox of {', '.join(waiting)}"
        ends: Offsets = await self.client.end_offsets(self.partitions)
        behind = await self._groups_behind(ends)
        if behind:
            return f"records that {', '.join(behind)} did not consume yet"
        # An effect may have been published between the two looks; then one of them has changed.
        if waiting := await self._waiting_events():
            return f"events in the outbox of {', '.join(waiting)}"
        if await self.client.end_offsets(self.partitions) != ends:
            return "records that have just arrived"
        return None

    async def _waiting_events(self) -> list[str]:
        outboxes = " UNION ALL ".join(
            f"SELECT '{context.name}' WHERE EXISTS (SELECT 1 FROM {context.name}.outbox)" for context in self.contexts
        )
        return [row[0] for row in await self.database.fetch(outboxes)]

    async def _groups_behind(self, ends: Offsets) -> list[str]:
        committed = await asyncio.gather(
            *(self.admin.list_consumer_group_offsets(group) for group in self.subscriptions)
        )
        return [
            group
            for (group, topics), offsets in zip(self.subscriptions.items(), committed, strict=True)
            if _is_behind(topics, offsets, ends)
        ]


def _is_behind(topics: frozenset[str], committed: Mapping[TopicPartition, object], ends: Offsets) -> bool:
    return any(
        end > max(getattr(committed.get(partition), "offset", 0), 0)
        for partition, end in ends.items()
        if partition.topic in topics
    )


@asynccontextmanager
async def watch_in_flight(contexts: Sequence[Context], settings: Settings) -> AsyncIterator[InFlight]:
    """Connect to the databases and topics of an installation, as its administrator."""
    subscriptions = {
        settings.kafka_prefix + context.name: frozenset(settings.kafka_prefix + topic for topic in topics)
        for context in contexts
        if (topics := context.topics())
    }
    async with AsyncExitStack() as stack:
        database = await asyncpg.connect(settings.database_url.get_secret_value())
        stack.push_async_callback(database.close)
        admin_client = await stack.enter_async_context(admin(settings.kafka))
        client = await stack.enter_async_context(offsets_reader(settings.kafka))
        described = await admin_client.describe_topics(sorted(set().union(*subscriptions.values())))
        partitions = [
            TopicPartition(topic["topic"], part["partition"]) for topic in described for part in topic["partitions"]
        ]
        yield InFlight(contexts, settings, database, admin_client, client, partitions, subscriptions)
