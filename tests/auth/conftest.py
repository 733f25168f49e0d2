"""What do tests of auth stand on? Auth at work, with a made-up secret."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from httpx2 import AsyncClient
from pydantic import SecretStr

from libs.kit.crypto.keyset_file import create_keyset
from libs.kit.settings import Settings
from tests.auth.builders import SECRET
from tests.world import Running, World


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILLSTREAM_AUTH_KEY_SECRET", SECRET)


@pytest.fixture
async def settings(settings: Settings, tmp_path: Path) -> Settings:
    """The same with a key-encryption key of this test alone."""
    create_keyset(tmp_path / "keyset.json")
    return settings.model_copy(update={"encryption_key_url": SecretStr(f"file://{tmp_path}/keyset.json")})


@pytest.fixture
async def auth(world: World) -> AsyncIterator[Running]:
    async with world.running("auth") as running:
        yield running


@pytest.fixture
async def client(auth: Running) -> AsyncClient:
    """Anybody, without a token."""
    return await auth.anonymous()
