"""What do the portfolio's tests act through? A desk: a workspace with an open account, fed over the bus."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import pytest
from httpx2 import AsyncClient

from libs.kit.ids import uuid7
from libs.schema.event import DomainEvent
from tests.portfolio.builders import an_account
from tests.world import Running, World


@dataclass
class Desk:
    """A workspace with one account of 100,000.00 USD."""

    world: World
    running: Running
    tenant_id: UUID
    account_id: UUID
    client: AsyncClient

    async def receives(self, *events: DomainEvent) -> None:
        """Take events one after the other, whatever topics they come from."""
        for event in events:
            await self.world.publish(event, tenant_id=self.tenant_id)
            await self.world.settled("portfolio")

    async def get(self, path: str, **params: str) -> dict[str, object]:
        """What the API answers."""
        answer = await self.client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        body: dict[str, object] = answer.json()
        return body

    async def history(self) -> list[tuple[str, str]]:
        """The day of the month and the equity of each point."""
        answer = await self.client.get("/v1/portfolio/history")
        return [(point["as_of"][8:10], point["equity"]) for point in answer.json()["items"]]


async def open_desk(world: World, running: Running) -> Desk:
    """Another desk, in a workspace of its own."""
    tenant_id, account_id = uuid7(), uuid7()
    desk = Desk(world, running, tenant_id, account_id, await running.client(tenant_id))
    await desk.receives(an_account(account_id))
    return desk


@pytest.fixture
async def running(world: World) -> AsyncIterator[Running]:
    """The portfolio at work."""
    async with world.running("portfolio") as service:
        yield service


@pytest.fixture
async def desk(world: World, running: Running) -> Desk:
    """A desk that has seen nothing yet."""
    return await open_desk(world, running)
