"""What do tests of auth stand on? Auth at work, with a made-up secret."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from httpx2 import AsyncClient

from tests.auth.builders import SECRET
from tests.world import Running, World


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILLSTREAM_AUTH_KEY_SECRET", SECRET)


@pytest.fixture
async def auth(world: World) -> AsyncIterator[Running]:
    async with world.running("auth") as running:
        yield running


@pytest.fixture
async def client(auth: Running) -> AsyncClient:
    """Anybody, without a token."""
    return await auth.anonymous()
