"""Signals at work, and one workspace on the plan Pro."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import pytest
from httpx2 import AsyncClient

from libs.kit.ids import uuid7
from services.signals.rules import Bar
from tests.signals.builders import a_strategy, allowed, closed
from tests.world import Running, World


@dataclass
class Workspace:
    """A workspace whose plan signals knows, and a client that acts for it."""

    id: UUID
    client: AsyncClient
    running: Running
    world: World

    async def creates(self, **changes: object) -> str:
        """Make a strategy; gives its id."""
        answer = await self.client.post("/v1/strategies", json=a_strategy(**changes))
        assert answer.status_code == 201, answer.text
        strategy_id: str = answer.json()["id"]
        return strategy_id

    async def sees(self, *bars: Bar) -> None:
        """Let the bars close, and wait until all that follows from them is done."""
        await self.world.send(*(self.world.envelope(closed(bar)) for bar in bars))
        await self.world.settled("signals")


@pytest.fixture
async def workspace(world: World) -> AsyncIterator[Workspace]:
    async with world.running("signals") as running:
        tenant = uuid7()
        await world.publish(allowed(tenant), tenant_id=tenant, subject=tenant)
        await world.settled("signals")
        yield Workspace(tenant, await running.client(tenant), running, world)
