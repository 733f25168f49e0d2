"""What do tests of auth stand on? Auth at work."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from httpx2 import AsyncClient

from tests.world import Running, World


@pytest.fixture
async def auth(world: World) -> AsyncIterator[Running]:
    async with world.running("auth") as running:
        yield running


@pytest.fixture
async def client(auth: Running) -> AsyncClient:
    """Anybody, without a token."""
    return await auth.anonymous()
