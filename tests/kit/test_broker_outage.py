"""What if the broker dies? Services wait for it, and then every event arrives, once, in the order of its key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fillstream.embedded.home import open_home
from fillstream.embedded.kafka import KafkaServer
from fillstream.embedded.stack import kafka_runtime
from libs.kit.db import Database
from libs.kit.kafka import create_topics, topic_specs
from libs.kit.relay import relay
from libs.kit.settings import Settings
from libs.schema.catalogue import TOPICS
from tests.kit.builders import a_bar
from tests.kit.probe import Admin, Faults, consuming
from tests.kit.test_consumer import effects
from tests.kit.test_relay import publish


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[KafkaServer]:
    """A broker that this test may kill."""
    home = open_home(tmp_path)
    server = KafkaServer(home, await kafka_runtime(home, lambda _: None))
    await server.start()
    yield server
    await server.kill()


async def test_a_broker_that_was_killed_costs_no_event(
    broker: KafkaServer, settings: Settings, db: Database, admin: Admin
) -> None:
    own = settings.model_copy(update={"kafka_bootstrap": broker.bootstrap})
    await create_topics(own.kafka, topic_specs(own, TOPICS))

    async with relay(db, own), consuming(own, Faults()):
        await publish(db, *(a_bar(symbol, day) for day in range(5) for symbol in ("AAPL", "IBM")))
        await effects(admin, 10)
        await broker.kill()
        await publish(db, *(a_bar(symbol, day) for day in range(5, 10) for symbol in ("AAPL", "IBM")))
        await broker.start()
        await publish(db, *(a_bar(symbol, day) for day in range(10, 15) for symbol in ("AAPL", "IBM")))
        await effects(admin, 30)

    rows = await admin.fetch("""
        SELECT f.key, array_agg(l.data::jsonb ->> 'open_time' ORDER BY f.id) FROM probe.effect f
        JOIN probe.event_log l USING (event_id) GROUP BY f.key""")
    for _, seen in rows:
        assert seen == sorted(seen)
        assert len(set(seen)) == 15
    assert await admin.letters() == []
