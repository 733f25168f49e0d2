"""What does imported history do to orders? It says what an instrument last closed at, and no order meets it."""

from __future__ import annotations

from libs.schema.orders import OrderExpired, OrderFilled
from services.orders.matching import Bar
from tests.orders.builders import a_bar, a_signal, ahead, day, told
from tests.orders.conftest import Workspace
from tests.world import World


async def import_(workspace: Workspace, *bars: Bar) -> None:
    await workspace.hears(*(told(bar).model_copy(update={"backfilled": True}) for bar in bars))


async def test_no_order_trades_in_imported_history(workspace: Workspace, world: World) -> None:
    await workspace.hears(a_signal(day(2)))
    await import_(workspace, a_bar(day(2), "100"), a_bar(day(3), "101"))
    assert world.published(OrderFilled) == []

    await workspace.sees(a_bar(day(4), "102"))
    [filled] = await world.expect(OrderFilled, 1)
    assert (filled.event.last_price, filled.event.occurred_at) == (102, day(4))


async def test_a_signal_that_is_heard_after_an_import_does_not_trade_in_it(workspace: Workspace, world: World) -> None:
    await import_(workspace, a_bar(day(2), "100"), a_bar(day(3), "101"))
    await workspace.hears(a_signal(day(2)))
    assert world.published(OrderFilled) == []

    await workspace.sees(a_bar(day(4), "102"))
    [filled] = await world.expect(OrderFilled, 1)
    assert filled.event.last_price == 102


async def test_no_day_order_ends_with_a_day_of_imported_history(workspace: Workspace, world: World) -> None:
    placed = (await workspace.orders_it(order_type="LIMIT", limit_price="50", time_in_force="DAY")).json()
    await import_(workspace, a_bar(ahead(1), "100"), a_bar(ahead(2), "100"))

    assert world.published(OrderExpired) == []
    assert (await workspace.one(f"/v1/orders/{placed['id']}"))["status"] == "NEW"


async def test_an_imported_close_says_what_an_order_may_cost(workspace: Workspace) -> None:
    await import_(workspace, a_bar(day(2), "100"))
    afforded = await workspace.orders_it(order_type="MARKET", quantity="10")
    denied = await workspace.orders_it(order_type="MARKET", quantity="100000000")
    assert [afforded.json()["status"], denied.json()["status"]] == ["NEW", "DENIED"]
