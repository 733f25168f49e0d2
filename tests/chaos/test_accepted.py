"""Is what was accepted compared with what exists, and is a loss told?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from libs.kit.ids import uuid7
from tests.chaos.accepted import Accepted, AcceptedBar, AcceptedOrder, Differences, compare
from tests.orders.builders import listed
from tests.world import World, eventually

MOMENT = datetime(2024, 3, 4, tzinfo=UTC)


async def differences(world: World, accepted: Accepted) -> Differences:
    connection = await asyncpg.connect(world.settings.database_url.get_secret_value())
    try:
        return await compare(connection, accepted)
    finally:
        await connection.close()


@pytest.fixture
async def order(world: World) -> AcceptedOrder:
    """A limit order that orders has accepted, and that waits for a bar."""
    async with world.running("orders") as orders:
        client = await orders.client(uuid7())
        opened = await client.post("/v1/accounts", json={"name": "one", "initial_cash": "1000"})
        await world.publish(listed())
        body = {
            "account_id": opened.json()["id"], "symbol": "AAPL", "side": "BUY", "order_type": "LIMIT",
            "quantity": "1", "limit_price": "10", "client_order_id": "mine",
        }  # fmt: skip

        async def placed() -> dict[str, str]:
            answer = await client.post("/v1/orders", json=body)
            assert answer.status_code == 201, answer.text
            return answer.json()

        said = await eventually(placed)
        return accepted_order(said)


def accepted_order(said: dict[str, str]) -> AcceptedOrder:
    return AcceptedOrder(
        UUID(said["id"]), UUID(said["account_id"]), said["client_order_id"], said["order_type"],
        datetime.fromisoformat(said["submitted_at"]), uuid7(),
    )  # fmt: skip


async def test_an_order_that_is_there_is_neither_lost_nor_double(world: World, order: AcceptedOrder) -> None:
    assert await differences(world, Accepted(orders=[order])) == Differences((), ())


async def test_an_accepted_order_whose_row_is_removed_is_lost(world: World, order: AcceptedOrder) -> None:
    await world.fetch('DELETE FROM orders."order" WHERE id = $1', order.id)
    found = await differences(world, Accepted(orders=[order]))
    assert found.lost == (f"order {order.id} (mine) was accepted and is not there",)


async def test_an_order_more_than_were_asked_for_is_double(world: World, order: AcceptedOrder) -> None:
    accepted = Accepted(orders=[order])
    columns = [
        row[0]
        for row in await world.fetch(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'orders.\"order\"'::regclass AND attnum > 0"
        )
    ]
    others = ", ".join(name for name in columns if name not in {"id", "client_order_id"})
    await world.fetch(
        f"INSERT INTO orders.\"order\" (id, client_order_id, {others}) SELECT $2, 'again', {others} "
        'FROM orders."order" WHERE id = $1',
        order.id,
        uuid7(),
    )
    assert len((await differences(world, accepted)).double) == 1
    # Somebody was not answered, and may have been heard.
    accepted.unknown[order.account_id] += 1
    assert await differences(world, accepted) == Differences((), ())


async def test_a_market_order_that_is_open_after_the_last_bar_is_lost(world: World, order: AcceptedOrder) -> None:
    await world.fetch("UPDATE orders.\"order\" SET order_type = 'MARKET', limit_price = NULL WHERE id = $1", order.id)
    market = AcceptedOrder(order.id, order.account_id, "mine", "MARKET", order.submitted_at, order.correlation_id)
    assert len((await differences(world, Accepted(orders=[market]))).lost) == 1


async def test_a_bar_and_a_person_that_are_not_there_are_lost(world: World) -> None:
    bar = AcceptedBar("AAPL", "1m", MOMENT + timedelta(minutes=1))
    found = await differences(world, Accepted(bars=[bar], people=["ada@example.com"]))
    assert found.lost == (
        "bar AAPL 1m 2024-03-04 00:01:00+00:00 was accepted and is not there",
        "ada@example.com registered 0 times",
    )
