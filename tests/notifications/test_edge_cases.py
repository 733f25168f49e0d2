"""What redeliveries, batches, other workspaces and bad requests meet."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from random import Random
from uuid import UUID

import pytest
from httpx2 import AsyncClient

from libs.kit.http.pagination import Position
from libs.kit.ids import uuid7
from libs.schema.event import Cause, DomainEvent, Envelope
from libs.schema.notifications import NotificationDelivered
from services.notifications import commands, wording
from services.notifications.model import Notice
from tests.notifications.builders import WHEN, a_denial, a_fill, a_registration, a_signal
from tests.world import Running, World

WORKSPACE = uuid7()


@pytest.fixture
async def running(world: World) -> AsyncIterator[Running]:
    async with world.running("notifications") as running:
        yield running


@pytest.fixture
async def reader(running: Running) -> AsyncClient:
    return await running.client(WORKSPACE)


def a_notice(tenant: int = 0, event: DomainEvent | None = None) -> Notice:
    fill = event or a_fill()
    envelope = Envelope(uuid7(), fill, "orders", uuid7(), 1, uuid7(), WHEN, Cause(uuid7()))
    return replace(wording.fill(envelope), tenant_id=WORKSPACE if tenant == 0 else uuid7())


async def test_a_redelivered_event_is_told_once(world: World, reader: AsyncClient) -> None:
    row = world.envelope(a_fill(), tenant_id=WORKSPACE)

    await world.send(row, row)
    await world.settled("notifications")
    await world.send(row)
    await world.settled("notifications")

    assert len((await reader.get("/v1/notifications")).json()["items"]) == 1
    await world.expect(NotificationDelivered, 1)


async def test_an_event_is_told_once_even_when_the_inbox_forgot_it(running: Running, world: World) -> None:
    """Partitions of the inbox are dropped some day; the notification itself remembers its event."""
    known, new = a_notice(), a_notice()
    async with running.db.work() as tx:
        await commands.tell(tx, [known])
    async with running.db.work() as tx:
        await commands.tell(tx, [known, new])

    rows = await world.fetch("SELECT event_id, position FROM notifications.notification ORDER BY position")
    assert [tuple(row) for row in rows] == [(known.event_id, 1), (new.event_id, 2)]
    await world.expect(NotificationDelivered, 2)


async def test_a_batch_of_many_workspaces_gives_each_its_own_places_in_order(world: World, running: Running) -> None:
    random = Random(7)
    tenants = [uuid7() for _ in range(7)]
    account = uuid7()
    rows = [
        world.envelope(a_fill(account_id=account, last_quantity=str(n)), tenant_id=random.choice(tenants))
        for n in range(1, 101)
    ]

    await world.send(*rows)
    await world.settled("notifications")

    told = await world.fetch(
        "SELECT tenant_id, position, event_id, metadata->>'quantity' FROM notifications.notification "
        "ORDER BY tenant_id, position"
    )
    expected = []
    for tenant in sorted(tenants):
        own = [row for row in rows if row.tenant_id == tenant]
        expected += [(tenant, place, row.event_id) for place, row in enumerate(own, start=1)]
    assert [tuple(row)[:3] for row in told] == expected
    assert Counter(int(row[3]) for row in told) == Counter(range(1, 101))


async def test_batches_at_once_for_one_workspace_make_no_gap_and_no_double_place(
    world: World, running: Running
) -> None:
    async def tell(count: int) -> None:
        async with running.db.work() as tx:
            await commands.tell(tx, [a_notice() for _ in range(count)])

    await asyncio.gather(*(tell(count) for count in (1, 5, 2, 7, 3, 2)))

    rows = await world.fetch("SELECT position FROM notifications.notification ORDER BY position")
    assert [row[0] for row in rows] == list(range(1, 21))


async def test_a_welcome_goes_to_the_workspace_that_registration_made(world: World, reader: AsyncClient) -> None:
    await world.publish(a_registration(WORKSPACE), tenant_id=WORKSPACE)
    await world.settled("notifications")

    (item,) = (await reader.get("/v1/notifications")).json()["items"]
    assert (item["title"], item["notification_type"]) == ("Welcome to Fillstream", "SYSTEM")


async def test_an_event_without_a_workspace_is_a_dead_letter_and_stops_nobody_else(
    world: World, reader: AsyncClient
) -> None:
    await world.publish(a_fill(), tenant_id=None)
    await world.publish(a_fill(), tenant_id=WORKSPACE)
    await world.settled("notifications")

    assert len((await reader.get("/v1/notifications")).json()["items"]) == 1
    (letter,) = await world.fetch("SELECT state, error FROM notifications.dead_letter")
    assert letter["state"] == "dead"
    assert "names no tenant" in letter["error"]


async def test_another_workspace_sees_nothing_and_cannot_read_it(
    world: World, running: Running, reader: AsyncClient
) -> None:
    await world.publish(a_denial(), tenant_id=WORKSPACE)
    await world.settled("notifications")
    (item,) = (await reader.get("/v1/notifications")).json()["items"]
    stranger = await running.client(uuid7())

    foreign = await stranger.post(f"/v1/notifications/{item['id']}/read")
    absent = await stranger.post(f"/v1/notifications/{uuid7()}/read")

    assert (foreign.status_code, absent.status_code) == (404, 404)
    assert foreign.json()["type"] == absent.json()["type"]
    assert (await stranger.get("/v1/notifications")).json()["items"] == []
    assert (await stranger.get("/v1/notifications/unread-count")).json() == {"unread": 0}
    assert (await stranger.post("/v1/notifications/read-all")).json() == {"read": 0}
    assert (await reader.get("/v1/notifications/unread-count")).json() == {"unread": 1}


BEYOND_EVERY_FEED = Position(WHEN, UUID(int=2**128 - 1)).cursor()
BAD_PARAMETERS = (
    ("", "limit", "1000000000"),
    ("", "limit", "0"),
    ("", "cursor", "nonsense"),
    ("", "cursor", BEYOND_EVERY_FEED),
    ("", "type", "GOSSIP"),
    ("", "unread", "perhaps"),
    ("/stream", "after", "-1"),
    ("/stream", "after", str(2**63)),
    ("/stream", "after", "yesterday"),
)


async def test_a_bad_parameter_is_named(reader: AsyncClient) -> None:
    for path, name, value in BAD_PARAMETERS:
        answer = await reader.get(f"/v1/notifications{path}", params={name: value})

        assert answer.status_code == 422, (name, value, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert [error["pointer"] for error in answer.json()["errors"]] == [name]


async def test_a_bad_last_event_id_is_named(reader: AsyncClient) -> None:
    answer = await reader.get("/v1/notifications/stream", headers={"Last-Event-ID": "nonsense"})

    assert answer.status_code == 422
    assert [error["pointer"].lower() for error in answer.json()["errors"]] == ["last-event-id"]


async def test_every_route_needs_a_token_with_its_scope(running: Running) -> None:
    anonymous = await running.anonymous()
    writer = await running.client(WORKSPACE, scopes=("notifications:write",))
    reader = await running.client(WORKSPACE, scopes=("notifications:read",))
    for method, path, wrong in (
        ("GET", "", writer),
        ("GET", "/unread-count", writer),
        ("GET", "/stream", writer),
        ("POST", "/read-all", reader),
        ("POST", f"/{uuid7()}/read", reader),
    ):
        assert (await anonymous.request(method, f"/v1/notifications{path}")).status_code == 401, path
        assert (await wrong.request(method, f"/v1/notifications{path}")).status_code == 403, path


async def test_an_id_that_is_none_is_named(reader: AsyncClient) -> None:
    answer = await reader.post("/v1/notifications/42/read")

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "notification_id")


async def test_words_are_kept_as_they_are_whatever_a_strategy_is_called(world: World, reader: AsyncClient) -> None:
    name = 'Robert"); DROP TABLE notification; -- \U0001f4c8 {"a": [1]}'

    await world.publish(a_signal(strategy_name=name), tenant_id=WORKSPACE)
    await world.settled("notifications")

    (item,) = (await reader.get("/v1/notifications")).json()["items"]
    assert item["message"].startswith(f"{name} asks: BUY 100 AAPL")
