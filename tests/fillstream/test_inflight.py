"""What is still in flight is said, when it is too much to wait for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fillstream.contexts import load_all
from fillstream.inflight import NeverQuiet, watch_in_flight
from fillstream.installation import Installation
from fillstream.replay import list_instruments
from libs.kit.db import database
from libs.kit.ids import uuid7
from libs.kit.settings import Settings
from libs.schema.auth import UserRegistered
from tests.issuer import Issuer
from tests.world import running_world


async def test_an_installation_at_rest_is_quiet_at_once(where: Installation) -> None:
    async with watch_in_flight(load_all(), where.settings(Settings)) as in_flight:
        await in_flight.wait_until_none(timeout_seconds=0)


async def test_events_in_an_outbox_are_in_flight_and_the_context_is_named(where: Installation) -> None:
    settings = where.settings(Settings)
    async with database(settings, "marketdata") as db:
        await list_instruments(db, {"AAPL": "USD"})
    async with watch_in_flight(load_all(), settings) as in_flight:
        with pytest.raises(NeverQuiet, match=r"^after 0 s there is still in flight: events in the outbox of marketdat"):
            await in_flight.wait_until_none(timeout_seconds=0)


async def test_records_that_a_group_has_not_consumed_are_in_flight_until_it_has(
    where: Installation, issuer: Issuer
) -> None:
    settings = where.settings(Settings)
    async with running_world(settings, issuer) as world, watch_in_flight(load_all(), settings) as in_flight:
        about = uuid7()
        registered = UserRegistered(
            occurred_at=datetime.now(UTC), user_id=uuid7(), workspace_id=about, email="ada@example.com"
        )
        await world.publish(registered, tenant_id=about)
        hearing = [f"{settings.kafka_prefix}{one.name}" for one in load_all() if UserRegistered.topic in one.topics()]
        assert len(hearing) > 1
        with pytest.raises(NeverQuiet, match=f"records that {', '.join(hearing)} did not consume yet"):
            await in_flight.wait_until_none(timeout_seconds=0)
        async with world.running("billing"):
            await world.settled("billing")
        with pytest.raises(NeverQuiet) as still:
            await in_flight.wait_until_none(timeout_seconds=0)
        # What billing told of it waits for others now.
        assert "-billing" not in str(still.value)
        assert all(f"-{name}" in str(still.value) for name in ("notifications", "orders", "signals"))
