"""Three brokers lose nothing that they acknowledged when one of them and its disk are gone; a single one does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from fillstream.embedded.home import open_home
from fillstream.embedded.kafka import KafkaServer
from fillstream.embedded.stack import kafka_runtime, remove_home
from libs.kit.kafka import TopicSpec, connection, create_topics, producer
from libs.kit.settings import KafkaSettings
from tests.instruments.cluster import SIZE, Cluster, running_cluster, until_in_sync, wipe

TOPIC = "kept.v1"


@pytest.fixture(scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    async with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
async def topic(cluster: Cluster, request: pytest.FixtureRequest) -> str:
    """A topic of this test alone, with all its replicas."""
    name: str = request.node.name
    await create_topics(cluster.settings, [a_topic(name, SIZE)])
    await until_in_sync(cluster.settings, name)
    return name


def a_topic(name: str, replicas: int) -> TopicSpec:
    return TopicSpec(name, partitions=2, replication_factor=replicas, retention=timedelta(days=1))


async def send(settings: KafkaSettings, topic: str, *numbers: int) -> None:
    """Send numbers and wait until each is acknowledged."""
    async with producer(settings, "test") as client:
        for number in numbers:
            await client.send_and_wait(topic, str(number).encode(), partition=number % 2)


async def stored(settings: KafkaSettings, topic: str) -> list[int]:
    """What is in a topic now."""
    client = AIOKafkaConsumer(**connection(settings), auto_offset_reset="earliest", enable_auto_commit=False)
    await client.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(2)]
        client.assign(partitions)
        ends = await client.end_offsets(partitions)
        found = []
        while any([await client.position(part) < ends[part] for part in partitions]):
            batches = await client.getmany(timeout_ms=1_000)
            found += [int(record.value) for batch in batches.values() for record in batch]
        return sorted(found)
    finally:
        await client.stop()


async def test_a_broker_that_is_killed_or_restarted_stops_nobody(cluster: Cluster, topic: str) -> None:
    await send(cluster.settings, topic, 0, 1)
    await cluster.nodes[1].kill()
    await send(cluster.settings, topic, 2, 3)
    assert await stored(cluster.settings, topic) == [0, 1, 2, 3]
    await cluster.nodes[1].start()
    await until_in_sync(cluster.settings, topic)
    await cluster.nodes[2].restart()
    await send(cluster.settings, topic, 4, 5)
    await until_in_sync(cluster.settings, topic)
    assert await stored(cluster.settings, topic) == [0, 1, 2, 3, 4, 5]


async def test_a_broker_that_lost_its_disk_gets_everything_back(cluster: Cluster, topic: str) -> None:
    await send(cluster.settings, topic, *range(20))
    await cluster.nodes[2].kill()
    cluster.nodes[2].wipe()
    await send(cluster.settings, topic, *range(20, 30))
    await cluster.nodes[2].start()
    await until_in_sync(cluster.settings, topic)
    # Now one of those whose disk was never lost may go: what is left had to be copied.
    await cluster.nodes[1].kill()
    assert await stored(cluster.settings, topic) == list(range(30))
    await send(cluster.settings, topic, 30, 31)
    await cluster.nodes[1].start()
    await until_in_sync(cluster.settings, topic)
    assert await stored(cluster.settings, topic) == list(range(32))


async def test_a_record_that_one_replica_has_is_not_acknowledged(cluster: Cluster, topic: str) -> None:
    await send(cluster.settings, topic, 0, 1)
    client = AIOKafkaProducer(**connection(cluster.settings), acks="all", request_timeout_ms=3_000)
    async with client:
        await cluster.nodes[3].kill()
        await until_in_sync(cluster.settings, topic, replicas=2)
        await cluster.nodes[2].kill()
        with pytest.raises(KafkaError):
            await client.send_and_wait(topic, b"2", partition=0)
    await cluster.nodes[2].start()
    await cluster.nodes[3].start()
    await until_in_sync(cluster.settings, topic)
    await send(cluster.settings, topic, 3, 4)
    assert set(await stored(cluster.settings, topic)) >= {0, 1, 3, 4}


async def test_a_single_broker_without_its_disk_has_forgotten_what_it_acknowledged(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home")
    single = KafkaServer(home, await kafka_runtime(home, lambda _: None))
    try:
        await single.start()
        settings = KafkaSettings(bootstrap=single.bootstrap)
        await create_topics(settings, [a_topic(TOPIC, 1)])
        await send(settings, TOPIC, 0, 1)
        await single.kill()
        await single.start()
        assert await stored(settings, TOPIC) == [0, 1], "a kill alone costs nothing"
        await single.kill()
        wipe(home)
        await single.start()
        assert await create_topics(settings, [a_topic(TOPIC, 1)]) == [TOPIC]
        assert await stored(settings, TOPIC) == []
    finally:
        await single.kill()
        await remove_home(home.path)
