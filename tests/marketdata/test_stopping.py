"""A service can be stopped at any moment, also at the very one in which it is woken."""

from __future__ import annotations

import asyncio

import pytest

from libs.kit.db import database
from libs.kit.relay import Relay
from libs.kit.settings import Settings
from tests.world import PATIENCE_SECONDS, eventually


@pytest.mark.parametrize("steps", range(4))
async def test_a_relay_that_is_woken_and_cancelled_at_once_ends(settings: Settings, steps: int) -> None:
    async with database(settings, "marketdata") as db:
        relay = Relay(db, settings)
        task = asyncio.create_task(relay.run())
        began = relay._last_pass  # noqa: SLF001 nothing else tells when it has gone to sleep

        async def sleeps() -> None:
            assert relay._last_pass > began  # noqa: SLF001

        await eventually(sleeps)
        relay._woken.set()  # noqa: SLF001
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
        assert task.cancelled()
