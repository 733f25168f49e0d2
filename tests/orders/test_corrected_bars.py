"""A bar that was wrong tells what an instrument is worth no longer; what was traded in it stands. Currencies never mix."""

from __future__ import annotations

import pytest

from libs.schema.orders import OrderFilled
from tests.orders.builders import a_bar, a_signal, corrected, day, listed, told
from tests.orders.conftest import Workspace
from tests.world import World

RIGHT = a_bar(day(1), "100")
WRONG = a_bar(day(1), "10000")


async def test_an_order_is_checked_against_the_last_close_as_it_was_corrected(
    workspace: Workspace, world: World
) -> None:
    await workspace.sees(WRONG)
    dear = await workspace.orders_it(quantity="20")
    await world.publish(corrected(RIGHT, WRONG))
    await world.settled("orders")
    right = await workspace.orders_it(quantity="20")

    assert (dear.json()["status"], dear.json()["reject_reason"]) == ("DENIED", "insufficient-buying-power")
    assert right.json()["status"] == "NEW"
    assert (await workspace.account())["reserved"] == "2002.00"


async def test_of_two_corrections_the_last_one_counts_and_a_retold_bar_none(workspace: Workspace, world: World) -> None:
    first, draft = world.envelope(told(WRONG)), a_bar(day(1), "50")
    await world.send(
        first, world.envelope(corrected(draft, WRONG)), world.envelope(corrected(RIGHT, draft)), first,
        world.envelope(told(WRONG)),
    )  # fmt: skip
    await world.settled("orders")
    assert [row["close"] for row in await world.fetch("SELECT close FROM orders.bar")] == [100]


async def test_what_was_filled_in_a_wrong_bar_stands(workspace: Workspace, world: World) -> None:
    await workspace.sees(a_bar(day(1), "90"))
    await workspace.hears(a_signal(day(2), "100"))
    wrong, right = a_bar(day(2), "91"), a_bar(day(2), "100")
    await workspace.sees(wrong)
    before = await world.expect(OrderFilled, 1)

    await world.publish(corrected(right, wrong))
    await world.settled("orders")

    after = await world.expect(OrderFilled, 1)
    assert [(one.id, one.event.last_price) for one in after] == [(one.id, 91) for one in before]


async def test_what_is_quoted_in_pounds_is_not_bought_with_dollars(workspace: Workspace, world: World) -> None:
    await world.publish(listed("BP.L", currency="GBP"))
    await workspace.sees(a_bar(day(1), "4.6325", symbol="BP.L"))

    answer = await workspace.orders_it(symbol="BP.L")

    assert (answer.json()["status"], answer.json()["reject_reason"]) == ("DENIED", "currency-mismatch")


@pytest.mark.parametrize("symbol", ["M&M", "^NSEI", "BTC/USDT", "0700.HK"])
async def test_a_symbol_as_exchanges_write_it_is_traded(workspace: Workspace, world: World, symbol: str) -> None:
    await world.publish(listed(symbol))
    await workspace.sees(a_bar(day(1), "100", symbol=symbol))

    answer = await workspace.orders_it(symbol=symbol)

    assert (answer.status_code, answer.json()["status"]) == (201, "NEW")
    assert [order["symbol"] for order in await workspace.items("/v1/orders", symbol=symbol)] == [symbol]
