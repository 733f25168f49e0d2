"""What can somebody read of an installation? All records of all topics, all rows of all tables, what its parts print."""

from __future__ import annotations

from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from tests.interfaces.rows import every_row


async def all_topics(bootstrap: str) -> bytes:
    """Every record of every topic of a broker: keys, headers and values."""
    admin, client = AIOKafkaAdminClient(bootstrap_servers=bootstrap), AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await admin.start()
    await client.start()
    try:
        described = await admin.describe_topics(await admin.list_topics())
        partitions = [
            TopicPartition(topic["topic"], part["partition"]) for topic in described for part in topic["partitions"]
        ]
        client.assign(partitions)
        await client.seek_to_beginning(*partitions)
        return await _until_the_end(client, partitions)
    finally:
        await client.stop()
        await admin.close()


async def _until_the_end(client: AIOKafkaConsumer, partitions: list[TopicPartition]) -> bytes:
    ends, seen = await client.end_offsets(partitions), list[bytes]()
    while any([await client.position(partition) < end for partition, end in ends.items()]):
        for records in (await client.getmany(timeout_ms=100)).values():
            for record in records:
                headers = [name.encode() + b"=" + value for name, value in record.headers]
                seen.append(b"\n".join([record.topic.encode(), record.key or b"", *headers, record.value or b""]))
    return b"\n".join(seen)


async def whole_database(url: str) -> bytes:
    """Every column of every row of every table, as text."""
    admin = await asyncpg.connect(url)
    try:
        kept = await every_row(admin)
    finally:
        await admin.close()
    return "\n".join(f"{table}\n" + "\n".join(rows) for table, rows in kept.items()).encode()


def all_files(folder: Path) -> bytes:
    """What is in the files of a folder."""
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
