"""What is in the demo's topics? Every event's id, read from the first record to the last."""

from __future__ import annotations

from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition

from libs.kit.kafka import admin, connection
from libs.kit.settings import Settings
from libs.schema.catalogue import TOPICS


async def read_ids(settings: Settings) -> set[UUID]:
    """The ids of all records that are in the topics now; a redelivered one counts once."""
    async with admin(settings.kafka) as client:
        described = await client.describe_topics([settings.kafka_prefix + topic for topic in TOPICS])
    partitions = [
        TopicPartition(topic["topic"], part["partition"]) for topic in described for part in topic["partitions"]
    ]
    client = AIOKafkaConsumer(**connection(settings.kafka), enable_auto_commit=False)
    client.assign(partitions)
    await client.start()
    try:
        await client.seek_to_beginning(*partitions)
        ends = await client.end_offsets(partitions)
        found: set[UUID] = set()
        while any([await client.position(partition) < end for partition, end in ends.items()]):
            for records in (await client.getmany(timeout_ms=200)).values():
                found.update(UUID(dict(record.headers)["ce_id"].decode()) for record in records)
        return found
    finally:
        await client.stop()


async def delete_topics(settings: Settings) -> None:
    """Remove the topics with all that is in them."""
    async with admin(settings.kafka) as client:
        await client.delete_topics([settings.kafka_prefix + topic for topic in TOPICS])
