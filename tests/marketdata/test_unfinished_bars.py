"""A bar that is not over yet is none: whoever tells it is told so, by the clock of the service."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from httpx2 import AsyncClient

from libs.kit.ids import uuid7
from libs.schema.marketdata import BarClosed
from tests.marketdata.test_typical_journey import a_bar
from tests.world import Running, World

CLOSE = datetime(2011, 3, 2, tzinfo=UTC)


def at(running: Running, moment: datetime) -> None:
    """Let it be that moment for the service."""
    running.db.clock = lambda: moment


async def test_a_running_bar_is_refused_and_taken_once_it_is_over(
    running: Running, feed: AsyncClient, world: World
) -> None:
    at(running, CLOSE - timedelta(hours=12))
    early = await feed.post("/v1/bars", json={"bars": [a_bar(1, close="101")]})
    at(running, CLOSE + timedelta(minutes=1))
    later = await feed.post("/v1/bars", json={"bars": [a_bar(1, close="100")]})

    assert early.status_code == 422
    assert [(e["pointer"], e["message"]) for e in early.json()["errors"]] == [
        ("/bars/0/open_time", "the bar is not over yet: it closes at 2011-03-02T00:00:00+00:00")
    ]
    assert (later.status_code, later.json()) == (201, {"accepted": 1, "duplicates": 0})
    assert [told.event.close for told in await world.expect(BarClosed, 1)] == [100]


@pytest.mark.parametrize(("before", "status"), [(4, 201), (5, 201), (6, 422)])
async def test_a_feeds_clock_may_run_ahead_by_seconds(
    running: Running, feed: AsyncClient, before: int, status: int
) -> None:
    at(running, CLOSE - timedelta(seconds=before))
    assert (await feed.post("/v1/bars", json={"bars": [a_bar(1)]})).status_code == status


async def test_the_one_that_is_not_over_is_named_and_nothing_is_kept(running: Running, feed: AsyncClient) -> None:
    at(running, CLOSE + timedelta(hours=1))
    answer = await feed.post("/v1/bars", json={"bars": [a_bar(1), a_bar(2)]})

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/bars/1/open_time")
    assert (await feed.get("/v1/bars", params={"symbol": "AAPL"})).json()["items"] == []


async def test_how_far_ahead_is_a_setting(world: World) -> None:
    async with world.running("marketdata", marketdata_bar_skew_seconds=3600) as running:
        feed = await running.client(uuid7())
        await feed.post("/v1/instruments", json={"symbol": "AAPL", "name": "Apple Inc.", "currency": "USD"})
        at(running, CLOSE - timedelta(minutes=59))
        assert (await feed.post("/v1/bars", json={"bars": [a_bar(1)]})).status_code == 201
