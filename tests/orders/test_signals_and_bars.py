"""Signals become orders, bars fill them: once each, at one price, whichever comes first and however often."""

from __future__ import annotations

import asyncio
from datetime import datetime
from decimal import Decimal
from itertools import permutations
from uuid import UUID

import pytest

from libs.kit.ids import uuid7
from libs.schema.event import Cause
from libs.schema.orders import OrderAccepted, OrderCancelled, OrderDenied, OrderFilled
from libs.schema.values import Side, SignalType, Timeframe
from services.orders.commands.bars import ClosedBar, match_bars
from services.orders.commands.signals import Wish, trade_signals
from tests.orders.builders import VENUE, a_bar, a_signal, ahead, day, entitled, listed, told
from tests.orders.conftest import Workspace, open_workspace
from tests.world import World, eventually

BARS = (a_bar(day(1), "99"), a_bar(day(2), "101.5"), a_bar(day(3), "140"))


@pytest.mark.parametrize("place", range(4))
async def test_a_signals_price_does_not_depend_on_when_it_is_heard(
    workspace: Workspace, world: World, place: int
) -> None:
    """The signal of the first bar's close comes before, between or after the bars."""
    await workspace.sees(*BARS[:place])
    await workspace.hears(a_signal(day(2)))
    await workspace.sees(*BARS[place:])

    (filled,) = await world.expect(OrderFilled, 1)
    assert (filled.event.last_price, filled.event.occurred_at) == (Decimal("101.5"), day(2))
    assert filled.sequence == 2


async def test_in_one_breath_the_price_is_the_same(workspace: Workspace, world: World) -> None:
    """Topics are not in order with each other: a signal and bars in every order, all at once."""
    for order in permutations([told(BARS[1]), "signal", told(BARS[2])]):
        for event in order:
            await world.publish(a_signal(day(2)) if event == "signal" else event, tenant_id=workspace.tenant_id)
    await world.settled("orders")

    fills = await world.expect(OrderFilled, 6)
    assert {(fill.event.last_price, fill.event.occurred_at) for fill in fills} == {(Decimal("101.5"), day(2))}


async def test_what_is_delivered_twice_has_one_effect(workspace: Workspace, world: World) -> None:
    signal, bar = a_signal(day(2)), told(BARS[1])
    sent = [world.envelope(signal, tenant_id=workspace.tenant_id), world.envelope(bar)]
    retold = [world.envelope(signal, tenant_id=workspace.tenant_id), world.envelope(bar)]

    await world.send(*sent, *sent, *retold, sent[1], sent[0])
    await world.settled("orders")
    await world.send(*sent, *retold)
    await world.settled("orders")

    await world.expect(OrderAccepted, 1)
    await world.expect(OrderFilled, 1)
    assert len(await workspace.items("/v1/fills")) == 1


async def test_a_denied_signal_that_is_told_twice_is_denied_once(workspace: Workspace, world: World) -> None:
    signal = a_signal(day(2), "100000")
    await world.send(*(world.envelope(signal, tenant_id=workspace.tenant_id) for _ in range(3)))
    await world.settled("orders")

    await world.expect(OrderDenied, 1)


async def test_bars_of_another_timeframe_trade_nothing(workspace: Workspace, world: World) -> None:
    await workspace.hears(a_signal(day(2)))
    await workspace.sees(a_bar(day(2), timeframe=Timeframe.H1))

    await world.expect(OrderFilled, 0)


async def test_the_venue_can_be_an_hourly_one(world: World) -> None:
    async with world.running("orders", orders_venue_timeframe="1h", orders_commission_rate="0") as running:
        workspace = await open_workspace(world, running)
        await world.settled("orders")
        await workspace.hears(a_signal(day(2)))
        await workspace.sees(a_bar(day(2), "7"), a_bar(day(2), "8", timeframe=Timeframe.H1))

        (filled,) = await world.expect(OrderFilled, 1)
        assert (filled.event.last_price, filled.event.commission) == (8, 0)


async def test_a_strategy_that_holds_what_it_wants_orders_nothing(workspace: Workspace, world: World) -> None:
    strategy = uuid7()
    signals = [a_signal(day(n), "100", strategy_id=strategy) for n in (2, 3)]
    await workspace.hears(*signals)

    await world.expect(OrderAccepted, 1)


async def test_what_is_still_working_counts_as_held(workspace: Workspace, world: World) -> None:
    strategy = uuid7()
    targets = ["100", "0", "-50", "-20", "30"]
    await workspace.hears(*(a_signal(day(2 + n), target, strategy_id=strategy) for n, target in enumerate(targets)))

    orders = [(e.event.side, e.event.quantity) for e in await world.expect(OrderAccepted, 5)]
    assert orders == [(Side.BUY, 100), (Side.SELL, 100), (Side.SELL, 50), (Side.BUY, 30), (Side.BUY, 50)]


async def test_a_cancelled_order_is_made_up_for_by_the_next_signal(workspace: Workspace, world: World) -> None:
    strategy = uuid7()
    await workspace.hears(a_signal(day(2), "100", strategy_id=strategy))
    (order,) = await workspace.items("/v1/orders")
    await workspace.client.post(f"/v1/orders/{order['id']}/cancel")
    await workspace.hears(a_signal(day(3), "-100", strategy_id=strategy, signal_type=SignalType.SHORT))

    _, second = await world.expect(OrderAccepted, 2)
    assert (second.event.side, second.event.quantity) == (Side.SELL, 100)


async def test_strategies_hold_apart_what_the_account_holds_together(workspace: Workspace, world: World) -> None:
    await workspace.hears(a_signal(day(2), "100"), a_signal(day(2), "-100"), a_signal(day(2), "60", symbol="IBM"))
    await workspace.sees(a_bar(day(2), "100"), a_bar(day(2), "200", symbol="IBM"))

    await world.expect(OrderFilled, 3)
    rows = await world.fetch("SELECT symbol, quantity, last_price FROM orders.position ORDER BY symbol")
    assert [tuple(row) for row in rows] == [("AAPL", 0, 100), ("IBM", 60, 200)]


async def test_without_an_account_for_signals_they_are_ignored(workspace: Workspace, world: World) -> None:
    other = uuid7()
    await world.publish(entitled(other), tenant_id=other)
    await world.publish(a_signal(day(2)), tenant_id=other)
    await workspace.client.patch(f"/v1/accounts/{workspace.account_id}", json={"auto_trading": False})
    await workspace.hears(a_signal(day(2)))

    assert await world.fetch("SELECT id FROM orders.order") == []
    await world.expect(OrderDenied, 0)


async def test_a_plan_without_auto_trading_denies_signals(workspace: Workspace, world: World) -> None:
    await world.publish(
        entitled(workspace.tenant_id, auto_trading=False), tenant_id=workspace.tenant_id, subject=workspace.tenant_id
    )
    # Arriving late: in a batch of its own, and in one with what is newer.
    late = world.envelope(entitled(workspace.tenant_id), subject=workspace.tenant_id, sequence=1)
    newest = world.envelope(entitled(workspace.tenant_id, auto_trading=False), subject=workspace.tenant_id, sequence=9)
    await world.send(newest, late)
    await world.settled("orders")
    await world.send(world.envelope(entitled(workspace.tenant_id), subject=workspace.tenant_id, sequence=2))
    await world.settled("orders")
    strategy = uuid7()
    await workspace.hears(a_signal(day(2), strategy_id=strategy))

    (denied,) = await world.expect(OrderDenied, 1)
    assert (denied.event.reason, denied.event.strategy_id) == ("auto-trading-not-allowed", strategy)
    assert denied.event.occurred_at == day(2)

    allowed = world.envelope(entitled(workspace.tenant_id), subject=workspace.tenant_id, sequence=10)
    await world.send(allowed)
    await world.settled("orders")
    await workspace.hears(a_signal(day(3), strategy_id=strategy))
    await world.expect(OrderAccepted, 1)


async def test_a_workspace_that_billing_never_spoke_of_is_denied(workspace: Workspace, world: World) -> None:
    await world.fetch("DELETE FROM orders.entitlement")
    await workspace.hears(a_signal(day(2)))

    (denied,) = await world.expect(OrderDenied, 1)
    assert denied.event.reason == "auto-trading-not-allowed"


async def test_a_signal_that_is_too_dear_or_in_another_currency_is_denied(workspace: Workspace, world: World) -> None:
    await workspace.hears(listed("SAP", "EUR"))
    await workspace.hears(a_signal(day(2), "1001", price="100"), a_signal(day(2), "1", symbol="SAP"))

    reasons = {denied.event.symbol: denied.event.reason for denied in await world.expect(OrderDenied, 2)}
    assert reasons == {"AAPL": "insufficient-buying-power", "SAP": "currency-mismatch"}


def a_wish(tenant_id: UUID, strategy_id: UUID, at: datetime, target: int, symbol: str) -> Wish:
    return Wish(uuid7(), tenant_id, strategy_id, symbol, Decimal(target), Decimal(100), at, Cause(uuid7()))


async def test_a_signal_is_checked_at_the_closes_of_its_own_time(workspace: Workspace, world: World) -> None:
    """A short of 500 that doubled in price on the third day, heard of before two purchases of different days."""
    await workspace.hears(a_signal(day(2), "-500", signal_type=SignalType.SHORT))
    await workspace.sees(a_bar(day(2)), a_bar(day(3), close="190"))
    of_the_third, of_the_fourth = a_signal(day(3), "10", symbol="IBM"), a_signal(day(4), "10", symbol="IBM")
    await workspace.hears(of_the_third, of_the_fourth)

    _, accepted = await world.expect(OrderAccepted, 2)
    (denied,) = await world.expect(OrderDenied, 1)
    assert (accepted.event.signal_id, denied.event.signal_id) == (of_the_third.signal_id, of_the_fourth.signal_id)


async def test_a_batch_does_what_one_by_one_does(workspace: Workspace, world: World) -> None:
    """Two workspaces with the same wishes: one's come singly before the bars, the other's in one breath after them."""
    other = await open_workspace(world, workspace.running)
    await world.settled("orders")
    strategies = [uuid7() for _ in range(4)]
    story = [(strategies[n % 4], day(2 + n // 4), (n * 37) % 120 - 60, ("AAPL", "IBM")[n % 2]) for n in range(24)]
    bars = [a_bar(day(n), str(90 + n), symbol=symbol) for n in range(2, 10) for symbol in ("AAPL", "IBM")]
    db = workspace.running.db
    for step in story:
        async with db.work() as tx:
            await trade_signals(tx, VENUE, [a_wish(workspace.tenant_id, *step)])
    async with db.work() as tx:
        await match_bars(tx, VENUE, [ClosedBar(bar, Cause(uuid7())) for bar in bars])
        await trade_signals(tx, VENUE, [a_wish(other.tenant_id, *step) for step in story])

    mine, theirs = [
        sorted(f"{f['symbol']} {f['side']} {f['last_quantity']} {f['last_price']} {f['executed_at']}" for f in fills)
        for fills in (await workspace.items("/v1/fills"), await other.items("/v1/fills"))
    ]
    assert len(mine) > 15
    assert mine == theirs
    assert (await workspace.account())["cash"] == (await other.account())["cash"]


async def test_an_order_that_meets_a_bar_in_flight_misses_nothing(workspace: Workspace, world: World) -> None:
    """The bar is kept but not committed when the order comes: the order waits, and then sees it."""
    bar = a_bar(ahead(1), "100")
    async with workspace.running.db.work() as tx:
        await match_bars(tx, VENUE, [ClosedBar(bar, Cause(uuid7()))])
        placing = asyncio.create_task(workspace.orders_it(order_type="LIMIT", limit_price="100"))
        await _waits_for_a_lock(world)
    answer = await placing

    assert (answer.json()["status"], answer.json()["average_price"]) == ("FILLED", "100.00")


async def test_orders_and_bars_that_meet_head_on_lose_nothing(workspace: Workspace, world: World) -> None:
    """Forty orders, half of them cancelled, while bars arrive: every order ends once and the cash adds up."""

    async def trade(number: int) -> None:
        order = (await workspace.orders_it(order_type="LIMIT", limit_price="100", quantity="1")).json()
        if number % 2:
            await workspace.client.post(f"/v1/orders/{order['id']}/cancel")

    async def feed() -> None:
        for number in range(1, 20):
            await world.publish(told(a_bar(ahead(number), "100")))

    await asyncio.gather(feed(), *(trade(number) for number in range(40)))
    await workspace.sees(a_bar(ahead(20), "100"))

    orders = await workspace.items("/v1/orders")
    filled = [order for order in orders if order["status"] == "FILLED"]
    assert {order["status"] for order in orders} <= {"FILLED", "CANCELED"}
    assert len(filled) >= 20
    await world.expect(OrderFilled, len(filled))
    await world.expect(OrderCancelled, 40 - len(filled))
    account = await workspace.account()
    assert Decimal(account["cash"]) == 100000 - Decimal("100.10") * len(filled)
    assert account["reserved"] == "0.00"


async def _waits_for_a_lock(world: World) -> None:
    async def somebody_waits() -> None:
        assert await world.fetch("SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory'")

    await eventually(somebody_waits)
