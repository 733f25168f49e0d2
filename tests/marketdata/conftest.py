"""Market data at work, and a feed that writes it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from httpx2 import AsyncClient

from libs.kit.ids import uuid7
from tests.world import Running, World


@pytest.fixture
async def running(world: World) -> AsyncIterator[Running]:
    """The service in this process."""
    async with world.running("marketdata") as running:
        yield running


@pytest.fixture
async def feed(running: Running) -> AsyncClient:
    """Who lists instruments and tells bars; AAPL is listed."""
    client = await running.client(uuid7())
    await client.post("/v1/instruments", json={"symbol": "AAPL", "name": "Apple Inc.", "currency": "USD"})
    return client
