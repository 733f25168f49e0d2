"""A workspace with a paper account, and orders at work around it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import pytest
from httpx2 import AsyncClient, Response

from libs.kit.ids import uuid7
from libs.schema.event import DomainEvent
from services.orders.matching import Bar
from tests.orders.builders import entitled, listed, told
from tests.world import Running, World


@dataclass(frozen=True)
class Workspace:
    """One tenant, its client and its first account."""

    world: World
    running: Running
    tenant_id: UUID
    client: AsyncClient
    account_id: str

    async def orders_it(self, **changes: object) -> Response:
        """Place an order; a market order for 10 AAPL unless told otherwise."""
        return await self.client.post("/v1/orders", json=self.an_order(**changes))

    def an_order(self, **changes: object) -> dict[str, object]:
        """The body of such an order."""
        body = {"account_id": self.account_id, "symbol": "AAPL", "side": "BUY", "order_type": "MARKET",
                "quantity": "10", "time_in_force": "GTC"}  # fmt: skip
        return body | changes

    async def one(self, path: str) -> dict[str, str]:
        """What a path shows."""
        answer = await self.client.get(path)
        assert answer.status_code == 200, answer.text
        shown: dict[str, str] = answer.json()
        return shown

    async def items(self, path: str, **params: str) -> list[dict[str, str]]:
        """The first page of a list."""
        answer = await self.client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, str]] = answer.json()["items"]
        return found

    async def account(self) -> dict[str, str]:
        """The account as it stands."""
        return await self.one(f"/v1/accounts/{self.account_id}")

    async def hears(self, *events: DomainEvent) -> None:
        """Let another context tell of something, and wait until all is done about it."""
        for event in events:
            await self.world.publish(event, tenant_id=self.tenant_id)
        await self.world.settled("orders")

    async def sees(self, *bars: Bar) -> None:
        """Let bars close."""
        for bar in bars:
            await self.world.publish(told(bar))
        await self.world.settled("orders")


async def open_workspace(world: World, running: Running, **account: object) -> Workspace:
    """A new workspace, entitled to auto-trading, with an account of 100,000 USD."""
    tenant_id = uuid7()
    client = await running.client(tenant_id)
    await world.publish(entitled(tenant_id), tenant_id=tenant_id)
    body = {"name": "paper", "currency": "USD", "initial_cash": "100000", "auto_trading": True}
    opened = await client.post("/v1/accounts", json=body | account)
    assert opened.status_code == 201, opened.text
    await world.settled("orders")
    return Workspace(world, running, tenant_id, client, opened.json()["id"])


@pytest.fixture
async def running(world: World) -> AsyncIterator[Running]:
    """Orders at work; AAPL and IBM are listed. Whatever a test does, nothing may end among the dead letters."""
    async with world.running("orders") as running:
        await world.publish(listed("AAPL"))
        await world.publish(listed("IBM"))
        yield running
    assert await world.fetch("SELECT topic, error FROM orders.dead_letter") == []


@pytest.fixture
async def workspace(world: World, running: Running) -> Workspace:
    """A workspace that can trade."""
    return await open_workspace(world, running)
