"""What do tests of billing stand on? Billing at work, which ends no trial unless it is told to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from libs.kit.ids import uuid7
from tests.world import Running, World


@pytest.fixture
async def billing(world: World) -> AsyncIterator[Running]:
    # Trials of the tests began on a fixed day: ten years keep the task's wall clock from ending them.
    async with world.running("billing", billing_trial_days=3_650) as running:
        yield running


@pytest.fixture
def workspace() -> UUID:
    return uuid7()
