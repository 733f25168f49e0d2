"""A workspace opens an account, trades by hand and by signal, and the world hears of every step."""

from __future__ import annotations

from decimal import Decimal

from libs.kit.ids import uuid7
from libs.schema.orders import AccountOpened, OrderAccepted, OrderCancelled, OrderDenied, OrderExpired, OrderFilled
from libs.schema.values import Side, SignalType
from tests.orders.builders import LONG_AGO, a_bar, a_signal, ahead, day
from tests.orders.conftest import Workspace
from tests.world import World


async def test_an_account_is_opened_with_its_first_cash(workspace: Workspace, world: World) -> None:
    shown = await workspace.account()

    assert (shown["cash"], shown["reserved"], shown["currency"]) == ("100000.00", "0.00", "USD")
    assert (shown["broker"], shown["status"], shown["auto_trading"]) == ("paper", "ACTIVE", True)
    (opened,) = await world.expect(AccountOpened, 1)
    assert (str(opened.subject), opened.sequence, opened.tenant_id) == (shown["id"], 1, workspace.tenant_id)
    assert (opened.event.initial_cash, opened.event.name) == (100000, "paper")


async def test_a_market_order_is_accepted_and_fills_at_the_open_of_the_next_bar(
    workspace: Workspace, world: World
) -> None:
    await workspace.sees(a_bar(LONG_AGO, "350"))

    placed = (await workspace.orders_it()).json()

    assert (placed["status"], placed["leaves_quantity"], placed["cumulative_quantity"]) == ("NEW", "10", "0")
    assert (await workspace.account())["reserved"] == "3503.50"
    (accepted,) = await world.expect(OrderAccepted, 1)
    assert (str(accepted.subject), accepted.sequence) == (placed["id"], 1)
    assert (accepted.event.client_order_id, accepted.event.quantity) == (placed["id"], 10)

    await workspace.sees(a_bar(ahead(1), "353.51", close="360"))

    (filled,) = await world.expect(OrderFilled, 1)
    assert (filled.subject, filled.sequence, filled.tenant_id) == (accepted.subject, 2, workspace.tenant_id)
    assert filled.event.occurred_at == ahead(1)
    assert (filled.event.last_quantity, filled.event.last_price) == (10, Decimal("353.51"))
    assert (filled.event.commission, filled.event.currency) == (Decimal("3.54"), "USD")
    assert (filled.event.cumulative_quantity, filled.event.leaves_quantity) == (10, 0)
    shown = await workspace.one(f"/v1/orders/{placed['id']}")
    assert (shown["status"], shown["average_price"], shown["commission"]) == ("FILLED", "353.51", "3.54")
    account = await workspace.account()
    assert (account["cash"], account["reserved"]) == ("96461.36", "0.00")
    (fill,) = await workspace.items("/v1/fills")
    assert (fill["order_id"], fill["last_price"], fill["venue"]) == (placed["id"], "353.51", "paper")
    assert fill["id"] == str(filled.event.fill_id)


async def test_the_fill_follows_from_the_bar_that_filled_it(workspace: Workspace, world: World) -> None:
    signal_id = await world.publish(a_signal(day(2)), tenant_id=workspace.tenant_id)
    await world.settled("orders")
    await workspace.sees(a_bar(day(2)))

    (accepted,), (filled,) = await world.expect(OrderAccepted, 1), await world.expect(OrderFilled, 1)
    assert accepted.cause.causation_id == signal_id
    assert filled.cause.causation_id not in {None, signal_id}


async def test_a_limit_order_waits_for_its_price(workspace: Workspace, world: World) -> None:
    placed = (await workspace.orders_it(order_type="LIMIT", limit_price="95", quantity="100")).json()
    assert (await workspace.account())["reserved"] == "9509.50"

    await workspace.sees(a_bar(ahead(1), "100", low="95.01"), a_bar(ahead(2), "97", low="94"))

    (filled,) = await world.expect(OrderFilled, 1)
    assert (filled.event.last_price, filled.event.occurred_at) == (95, ahead(2))
    assert (await workspace.one(f"/v1/orders/{placed['id']}"))["closed_at"] == ahead(2).isoformat().replace(
        "+00:00", "Z"
    )


async def test_a_day_order_expires_with_its_session(workspace: Workspace, world: World) -> None:
    await workspace.orders_it(order_type="LIMIT", limit_price="95", time_in_force="DAY")
    await workspace.sees(a_bar(ahead(1), "100"))

    (expired,) = await world.expect(OrderExpired, 1)
    assert (expired.event.occurred_at, expired.event.cumulative_quantity, expired.sequence) == (ahead(2), 0, 2)
    assert (await workspace.account())["reserved"] == "0.00"
    assert [order["status"] for order in await workspace.items("/v1/orders")] == ["EXPIRED"]


async def test_a_working_order_is_cancelled_and_its_reservation_released(workspace: Workspace, world: World) -> None:
    placed = (await workspace.orders_it(order_type="LIMIT", limit_price="95")).json()

    answer = await workspace.client.post(f"/v1/orders/{placed['id']}/cancel")

    assert (answer.status_code, answer.json()["status"], answer.json()["leaves_quantity"]) == (202, "CANCELED", "0")
    (cancelled,) = await world.expect(OrderCancelled, 1)
    assert (str(cancelled.subject), cancelled.sequence) == (placed["id"], 2)
    assert (await workspace.account())["reserved"] == "0.00"
    await workspace.sees(a_bar(ahead(1), "90"))
    await world.expect(OrderFilled, 0)


async def test_an_order_that_is_too_dear_is_kept_as_denied(workspace: Workspace, world: World) -> None:
    answer = await workspace.orders_it(order_type="LIMIT", limit_price="100", quantity="1000")

    assert (answer.status_code, answer.json()["status"]) == (201, "DENIED")
    assert answer.json()["reject_reason"] == "insufficient-buying-power"
    (denied,) = await world.expect(OrderDenied, 1)
    assert (str(denied.subject), denied.sequence) == (answer.json()["id"], 1)
    assert denied.event.detail == answer.json()["reject_detail"]
    assert (await workspace.account())["reserved"] == "0.00"


async def test_signals_are_traded_at_their_own_time(workspace: Workspace, world: World) -> None:
    strategy = uuid7()
    long = a_signal(day(3), "100", strategy_id=strategy)
    short = a_signal(day(5), "-50", strategy_id=strategy, signal_type=SignalType.SHORT)
    await workspace.sees(a_bar(day(1)), a_bar(day(2)))
    await workspace.hears(long)
    await workspace.sees(a_bar(day(3), "101"), a_bar(day(4), "102"))
    await workspace.hears(short)
    await workspace.sees(a_bar(day(7), "110"))

    first, second = await world.expect(OrderAccepted, 2)
    assert (first.event.signal_id, first.event.strategy_id) == (long.signal_id, strategy)
    assert (first.event.client_order_id, first.event.occurred_at) == (str(long.signal_id), day(3))
    assert (first.event.side, first.event.quantity, first.event.time_in_force) == (Side.BUY, 100, "GTC")
    assert (second.event.side, second.event.quantity) == (Side.SELL, 150)
    bought, sold = await world.expect(OrderFilled, 2)
    assert (bought.event.last_price, bought.event.occurred_at) == (101, day(3))
    assert (sold.event.last_price, sold.event.occurred_at, sold.event.commission) == (110, day(7), Decimal("16.50"))
    cash = Decimal(100000) - Decimal("10110.10") + Decimal("16483.50")
    assert Decimal((await workspace.account())["cash"]) == cash


async def test_orders_and_fills_are_read_in_pages_and_by_filter(workspace: Workspace) -> None:
    for number in range(5):
        await workspace.orders_it(
            symbol="AAPL" if number % 2 else "IBM", order_type="LIMIT", limit_price=f"{number + 1}"
        )
    seen: list[str] = []
    params = {"limit": "2"}
    while True:
        answer = (await workspace.client.get("/v1/orders", params=params)).json()
        seen += [order["limit_price"] for order in answer["items"]]
        if answer["next_cursor"] is None:
            break
        params["cursor"] = answer["next_cursor"]

    assert seen == ["1.00", "2.00", "3.00", "4.00", "5.00"]
    assert [o["limit_price"] for o in await workspace.items("/v1/orders", symbol="AAPL")] == ["2.00", "4.00"]
    assert await workspace.items("/v1/orders", status="FILLED") == []
    assert len(await workspace.items("/v1/orders", status="NEW", account_id=workspace.account_id)) == 5

    await workspace.sees(a_bar(ahead(1), "2"), a_bar(ahead(1), "3", symbol="IBM"))
    assert [f["last_price"] for f in await workspace.items("/v1/fills", symbol="IBM")] == ["3.00", "3.00"]
    assert len(await workspace.items("/v1/fills", account_id=workspace.account_id)) == 4
    assert await workspace.items("/v1/fills", order_id=str(uuid7())) == []


async def test_fills_of_one_moment_are_read_in_pages_without_loss(workspace: Workspace) -> None:
    placed = [(await workspace.orders_it(order_type="LIMIT", limit_price="100")).json()["id"] for _ in range(5)]
    await workspace.sees(a_bar(ahead(1), "99"))

    seen: list[dict[str, str]] = []
    params = {"limit": "2"}
    while True:
        answer = (await workspace.client.get("/v1/fills", params=params)).json()
        seen += answer["items"]
        if answer["next_cursor"] is None:
            break
        params["cursor"] = answer["next_cursor"]

    assert len({fill["executed_at"] for fill in seen}) == 1
    assert sorted(fill["order_id"] for fill in seen) == sorted(placed)


async def test_an_account_is_renamed_and_signals_are_moved_to_another(workspace: Workspace) -> None:
    body = {"name": "second", "initial_cash": "5000"}
    second = (await workspace.client.post("/v1/accounts", json=body)).json()
    assert (second["auto_trading"], second["currency"]) == (False, "USD")
    path = f"/v1/accounts/{second['id']}"

    taken = await workspace.client.patch(path, json={"auto_trading": True})
    freed = await workspace.client.patch(f"/v1/accounts/{workspace.account_id}", json={"auto_trading": False})
    moved = await workspace.client.patch(path, json={"auto_trading": True, "name": "signals"})

    assert (taken.status_code, taken.json()["type"]) == (409, "urn:fillstream:problem:auto-trading-taken")
    assert (freed.status_code, freed.json()["name"], freed.json()["auto_trading"]) == (200, "paper", False)
    assert (moved.json()["name"], moved.json()["auto_trading"]) == ("signals", True)
    assert [a["name"] for a in await workspace.items("/v1/accounts")] == ["paper", "signals"]
