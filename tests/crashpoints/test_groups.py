"""A consumer that was killed is out of its group at once, and its successor goes on from its offsets."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition

from libs.kit.kafka import admin, connection
from libs.kit.settings import Settings
from tests.crashpoints.groups import bury_members
from tests.world import PATIENCE_SECONDS


async def test_the_successor_of_a_buried_member_need_not_wait_for_its_session(settings: Settings) -> None:
    topic = settings.kafka_prefix + "orders.v1"
    first, second = (
        AIOKafkaConsumer(
            topic, group_id="g", enable_auto_commit=False, session_timeout_ms=2_000 * int(PATIENCE_SECONDS),
            **connection(settings.kafka),
        )
        for _ in range(2)
    )  # fmt: skip
    async with admin(settings.kafka) as client:
        await first.start()
        await first.commit({TopicPartition(topic, 0): 7})
        # As dead as a killed process is to the broker: it answers nothing any more.
        first._coordinator._coordination_task.cancel()  # noqa: SLF001
        first._coordinator._heartbeat_task.cancel()  # noqa: SLF001
        await bury_members(client, "g")
        async with asyncio.timeout(PATIENCE_SECONDS):
            await second.start()
        assert await second.committed(TopicPartition(topic, 0)) == 7
        await second.stop()
    first._closed = True  # noqa: SLF001 it has left already
    await first._client.close()  # noqa: SLF001
