"""What do tests of secrets stand on? The probe's database, a keyset in a file, and two workspaces."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from libs.kit.crypto.encryption import Encryption, encryption
from libs.kit.crypto.keyset_file import create_keyset
from libs.kit.ids import uuid7
from libs.kit.settings import Settings


@pytest.fixture
async def settings(settings: Settings, tmp_path: Path) -> Settings:
    """The same with a key-encryption key of this test alone."""
    create_keyset(tmp_path / "keyset.json")
    return settings.model_copy(update={"encryption_key_url": f"file://{tmp_path}/keyset.json"})


@pytest.fixture
async def safe(settings: Settings) -> AsyncIterator[Encryption]:
    async with encryption(settings) as opened:
        yield opened


@pytest.fixture
async def neighbour() -> UUID:
    """Another workspace."""
    return uuid7()
