"""Kafka's clients stay behind the proxy, and what they send can be cut off from its acknowledgement."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from fillstream.embedded.home import open_home
from fillstream.embedded.kafka import KafkaServer
from fillstream.embedded.stack import kafka_runtime, remove_home
from libs.kit.kafka import TopicSpec, create_topics
from libs.kit.settings import KafkaSettings
from tests.instruments.listeners import listeners
from tests.instruments.proxy import Proxy, proxying_kafka
from tests.instruments.test_cluster import send, stored
from tests.instruments.weather import PRODUCE, Moment

TOPIC = "kept.v1"


@dataclass(frozen=True)
class Place:
    """A node behind a proxy."""

    proxy: Proxy
    served: KafkaSettings
    aside: KafkaSettings


@pytest.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    home = open_home(Path(tmp_path_factory.mktemp("kafka")))
    ports = listeners(home)
    node = KafkaServer(home, await kafka_runtime(home, lambda _: None), ports.properties())
    try:
        await node.start()
        async with proxying_kafka(ports.clients, port=ports.proxy) as proxy:
            yield Place(proxy, KafkaSettings(bootstrap=proxy.address), KafkaSettings(bootstrap=node.bootstrap))
    finally:
        await node.kill()
        await remove_home(home.path)


@pytest.fixture
async def topic(place: Place, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    name = request.node.originalname
    await create_topics(place.aside, [TopicSpec(name, 2, 1, timedelta(days=1))])
    yield name
    place.proxy.disarm()
    await place.proxy.accept()


async def test_whoever_comes_through_the_proxy_stays_behind_it(place: Place, topic: str) -> None:
    await send(place.served, topic, 0, 1)
    await place.proxy.refuse()
    place.proxy.cut()
    async with AIOKafkaProducer(bootstrap_servers=place.aside.bootstrap) as client:
        await client.send_and_wait(topic, b"2", partition=0)
    assert await stored(place.aside, topic) == [0, 1, 2]
    with pytest.raises(Exception, match="Unable to bootstrap"):
        await send(place.served, topic, 3)


@pytest.mark.parametrize("idempotent", [True, False], ids=["idempotent", "simple"])
async def test_a_producer_that_is_cut_off_from_its_acknowledgement_sends_again(
    place: Place, topic: str, *, idempotent: bool
) -> None:
    before = await stored(place.aside, topic)
    producer = AIOKafkaProducer(
        bootstrap_servers=place.proxy.address, acks="all", enable_idempotence=idempotent, client_id="cut"
    )
    async with producer:
        trap = place.proxy.arm(Moment.AFTER, statement=PRODUCE, application="cut")
        await producer.send_and_wait(topic, b"7", partition=0)
    assert trap.sprung == 1
    after = await stored(place.aside, topic)
    assert len(after) - len(before) == (1 if idempotent else 2)


async def test_a_request_that_is_cut_off_before_the_broker_is_stored_once(place: Place, topic: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=place.proxy.address, acks="all") as producer:
        trap = place.proxy.arm(Moment.BEFORE, statement=PRODUCE)
        await producer.send_and_wait(topic, b"7", partition=0)
    assert trap.sprung == 1
    assert await stored(place.aside, topic) == [7]
