"""A person hears of signals, fills, denials and expiries in their workspace, in words and exact figures, and reads them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from httpx2 import AsyncClient

from libs.kit.ids import uuid7
from libs.schema.event import DomainEvent
from libs.schema.notifications import NotificationDelivered, NotificationType
from tests.notifications.builders import WHEN, a_denial, a_fill, a_registration, a_signal, an_expiry
from tests.world import Running, World

WORKSPACE = uuid7()


@pytest.fixture
async def running(world: World) -> AsyncIterator[Running]:
    async with world.running("notifications") as running:
        yield running


@pytest.fixture
async def reader(running: Running) -> AsyncClient:
    return await running.client(WORKSPACE)


async def told(world: World, *events: DomainEvent, tenant_id: UUID = WORKSPACE) -> None:
    for event in events:
        await world.publish(event, tenant_id=tenant_id)
        await world.settled("notifications")


async def unread(reader: AsyncClient) -> int:
    count: int = (await reader.get("/v1/notifications/unread-count")).json()["unread"]
    return count


async def titles(reader: AsyncClient, **params: str) -> list[str]:
    answer = await reader.get("/v1/notifications", params=params)
    assert answer.status_code == 200, answer.text
    return [item["title"] for item in answer.json()["items"]]


async def test_a_fill_is_told_with_its_exact_figures(world: World, reader: AsyncClient) -> None:
    fill = a_fill(side="SELL", last_quantity="0.00000001", last_price="12345.67890123", commission="0.10")

    await told(world, fill)

    (item,) = (await reader.get("/v1/notifications")).json()["items"]
    assert item["title"] == "Sold 0.00000001 AAPL"
    assert item["message"] == "SELL 0.00000001 AAPL at 12345.67890123 USD, fee 0.10 USD."
    assert item["metadata"] == {
        "order_id": str(fill.order_id), "fill_id": str(fill.fill_id), "symbol": "AAPL", "side": "SELL",
        "quantity": "0.00000001", "price": "12345.67890123", "commission": "0.1", "currency": "USD",
        "executed_at": "2011-03-02T14:30:00Z",
    }  # fmt: skip
    assert (item["notification_type"], item["priority"]) == ("ORDER", "MEDIUM")
    assert (item["is_read"], item["read_at"], item["delivery_methods"]) == (False, None, ["in_app"])
    assert item["occurred_at"] == "2011-03-02T14:30:00Z"


async def test_a_partial_fill_says_what_is_left(world: World, reader: AsyncClient) -> None:
    await told(world, a_fill(last_quantity="40", cumulative_quantity="40", leaves_quantity="60"))

    (item,) = (await reader.get("/v1/notifications")).json()["items"]
    assert item["message"] == "BUY 40 AAPL at 353.50 USD, fee 35.35 USD; 60 of 100 are left."


async def test_each_kind_of_event_has_its_words_and_priority(world: World, reader: AsyncClient) -> None:
    await told(
        world,
        a_registration(WORKSPACE, first_name="Ada"),
        a_signal(target_price="400", stop_loss="340.05"),
        a_denial(),
        an_expiry(),
    )

    items = (await reader.get("/v1/notifications")).json()["items"]
    assert [(i["notification_type"], i["priority"], i["title"], i["message"]) for i in reversed(items)] == [
        ("SYSTEM", "LOW", "Welcome to Fillstream, Ada",
         "Your workspace is ready. Create a strategy, or place a first order on paper."),
        ("SIGNAL", "MEDIUM", "Buy 100 AAPL",
         "trend asks: BUY 100 AAPL at about 353.50, target 400.00, stop 340.05, confidence 75 %."),
        ("ORDER", "HIGH", "Order denied: BUY 100 AAPL",
         "BUY 100 AAPL was denied (insufficient-buying-power): needs 35,350.00 USD, has 12.34 USD"),
        ("ORDER", "MEDIUM", "Order expired: BUY 100 AAPL", "BUY 100 AAPL expired; 40 of 100 had traded."),
    ]  # fmt: skip
    assert [i["position"] for i in items] == [4, 3, 2, 1]


async def test_delivery_is_published_and_follows_from_the_event(world: World, running: Running) -> None:
    event_id = await world.publish(a_fill(), tenant_id=WORKSPACE)

    (delivered,) = await world.expect(NotificationDelivered, 1)
    assert delivered.event.workspace_id == delivered.tenant_id == WORKSPACE
    assert delivered.event.notification_type is NotificationType.ORDER
    assert delivered.event.title == "Bought 100 AAPL"
    assert delivered.event.occurred_at > WHEN
    assert (delivered.cause.causation_id, delivered.sequence) == (event_id, 1)
    assert delivered.subject == delivered.event.notification_id


async def test_reading_one_counts_once_and_keeps_the_first_time(world: World, reader: AsyncClient) -> None:
    await told(world, a_fill(), a_denial())
    newest = (await reader.get("/v1/notifications")).json()["items"][0]

    first = await reader.post(f"/v1/notifications/{newest['id']}/read")
    second = await reader.post(f"/v1/notifications/{newest['id']}/read")

    assert first.status_code == 200
    assert first.json()["is_read"]
    assert second.json() == first.json()
    assert await unread(reader) == 1
    assert await titles(reader, unread="true") == ["Bought 100 AAPL"]


async def test_reading_all_leaves_nothing_unread(world: World, reader: AsyncClient) -> None:
    await told(world, a_fill(), a_denial(), a_signal())

    assert (await reader.post("/v1/notifications/read-all")).json() == {"read": 3}
    assert await unread(reader) == 0
    assert (await reader.post("/v1/notifications/read-all")).json() == {"read": 0}


async def test_reading_up_to_what_was_shown_leaves_later_news_unread(world: World, reader: AsyncClient) -> None:
    await told(world, a_fill(), a_denial(), a_signal())

    assert (await reader.post("/v1/notifications/read-all", params={"up_to": "2"})).json() == {"read": 2}
    assert await titles(reader, unread="true") == ["Buy 100 AAPL"]


async def test_the_list_is_filtered_and_read_in_pages_the_newest_first(world: World, reader: AsyncClient) -> None:
    await told(world, *(a_fill(last_quantity=str(n)) for n in range(1, 6)), a_signal())

    seen: list[str] = []
    params = {"type": "ORDER", "limit": "2"}
    while True:
        answer = (await reader.get("/v1/notifications", params=params)).json()
        seen += [item["metadata"]["quantity"] for item in answer["items"]]
        if answer["next_cursor"] is None:
            break
        params["cursor"] = answer["next_cursor"]

    assert seen == ["5", "4", "3", "2", "1"]
    assert await titles(reader, type="SIGNAL") == ["Buy 100 AAPL"]
