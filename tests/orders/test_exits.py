"""Whoever may not open a position may still get out of one."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from libs.kit.ids import uuid7
from libs.schema.orders import OrderAccepted, OrderDenied, OrderFilled
from libs.schema.values import Side, SignalType
from tests.orders.builders import a_bar, a_signal, day, entitled, listed
from tests.orders.conftest import Workspace
from tests.world import World

STRATEGY = uuid7()


async def hears(workspace: Workspace, number: int, target: str, strategy: object = STRATEGY, **changes: str) -> None:
    """A strategy wants something at the beginning of a day."""
    kind = SignalType.BUY if Decimal(target) > 0 else SignalType.SELL
    signal = a_signal(day(number), target, strategy_id=strategy, signal_type=kind, **changes)  # type: ignore[arg-type]
    await workspace.hears(signal)


async def the_trial_ends(workspace: Workspace) -> None:
    """Billing says that signals are traded no more."""
    event = entitled(workspace.tenant_id, auto_trading=False)
    sent = workspace.world.envelope(event, subject=workspace.tenant_id, sequence=99)
    await workspace.world.send(sent)
    await workspace.world.settled("orders")


async def test_when_the_trial_has_ended_a_sale_goes_through_and_a_purchase_is_denied(
    workspace: Workspace, world: World
) -> None:
    await hears(workspace, 2, "100")
    await workspace.sees(a_bar(day(2)))
    await the_trial_ends(workspace)
    await hears(workspace, 3, "0")
    await workspace.sees(a_bar(day(3), "110"))
    await hears(workspace, 4, "100")

    _, exit_ = await world.expect(OrderFilled, 2)
    assert (exit_.event.side, exit_.event.last_quantity) == (Side.SELL, 100)
    (denied,) = await world.expect(OrderDenied, 1)
    assert (denied.event.side, denied.event.reason) == (Side.BUY, "auto-trading-not-allowed")


async def test_of_a_reversal_the_part_that_ends_the_position_goes_through(workspace: Workspace, world: World) -> None:
    for target, strategy in (("100", STRATEGY), ("-40", shorter := uuid7())):
        await hears(workspace, 2, target, strategy, symbol="AAPL" if strategy is STRATEGY else "IBM")
    await workspace.sees(a_bar(day(2)), a_bar(day(2), symbol="IBM"))
    await the_trial_ends(workspace)
    await hears(workspace, 3, "-100")
    await hears(workspace, 3, "40", shorter, symbol="IBM")
    await workspace.sees(a_bar(day(3)), a_bar(day(3), symbol="IBM"))

    *_, sold, covered = sorted(
        await world.expect(OrderFilled, 4), key=lambda told: (told.event.occurred_at, told.event.symbol)
    )
    assert (sold.event.side, sold.event.last_quantity) == (Side.SELL, 100)
    assert (covered.event.side, covered.event.last_quantity) == (Side.BUY, 40)
    rows = await world.fetch("SELECT quantity FROM orders.position")
    assert [row[0] for row in rows] == [0, 0]


async def test_two_exits_at_once_do_not_turn_the_position_round(workspace: Workspace, world: World) -> None:
    """The person has sold by hand what the strategy believes that it holds; both come at the same time."""
    await hears(workspace, 2, "100")
    await workspace.sees(a_bar(day(2)))
    await the_trial_ends(workspace)
    signal = a_signal(day(3), "0", strategy_id=STRATEGY, signal_type=SignalType.SELL)
    again = a_signal(day(3), "-100", strategy_id=STRATEGY, signal_type=SignalType.SHORT)
    await asyncio.gather(workspace.hears(signal), workspace.hears(again))
    await workspace.sees(a_bar(day(3)))

    accepted = await world.expect(OrderAccepted, 2)
    assert [told.event.quantity for told in accepted] == [100, 100]
    (row,) = await world.fetch("SELECT quantity FROM orders.position")
    assert row[0] == 0


async def test_what_was_sold_by_hand_is_not_sold_again(workspace: Workspace, world: World) -> None:
    await hears(workspace, 2, "100")
    await workspace.sees(a_bar(day(2)))
    await the_trial_ends(workspace)
    await workspace.orders_it(side="SELL", quantity="70")
    await hears(workspace, 3, "0")

    last = (await world.expect(OrderAccepted, 3))[-1]
    assert (last.event.side, last.event.quantity) == (Side.SELL, 30)


async def test_an_instrument_whose_currency_became_known_later_can_be_sold(workspace: Workspace, world: World) -> None:
    await workspace.sees(a_bar(day(1), symbol="SAP"))
    await hears(workspace, 2, "100", symbol="SAP")
    await workspace.sees(a_bar(day(2), symbol="SAP"))
    await workspace.hears(listed("SAP", "EUR"))
    await hears(workspace, 3, "0", symbol="SAP")
    await hears(workspace, 4, "100", symbol="SAP")

    assert [told.event.side for told in await world.expect(OrderAccepted, 2)] == [Side.BUY, Side.SELL]
    (denied,) = await world.expect(OrderDenied, 1)
    assert denied.event.reason == "currency-mismatch"
