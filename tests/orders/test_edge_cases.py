"""What bad input, repeated requests and strangers meet: a clear problem, one effect, and nothing of others'."""

from __future__ import annotations

import asyncio
from collections import Counter

from httpx2 import Response

from libs.kit.ids import uuid7
from libs.schema.orders import AccountOpened, OrderAccepted, OrderDenied, OrderFilled
from tests.orders.builders import LONG_AGO, a_bar, ahead, listed
from tests.orders.conftest import Workspace, open_workspace
from tests.world import World

LIMIT = {"order_type": "LIMIT", "limit_price": "100"}


BAD_ORDERS: list[tuple[dict[str, object], str]] = [
    ({"quantity": "0"}, "/quantity"),
    ({"quantity": "-1"}, "/quantity"),
    ({"quantity": "NaN"}, "/quantity"),
    ({"quantity": "Infinity"}, "/quantity"),
    ({"quantity": "1" * 30}, "/quantity"),
    ({"quantity": "1.123456789"}, "/quantity"),
    ({"quantity": 1.5}, "/quantity"),
    ({"quantity": None}, "/quantity"),
    ({"quantity": {"amount": "1"}}, "/quantity"),
    ({"side": "HOLD"}, "/side"),
    ({"order_type": "STOP"}, "/order_type"),
    ({"time_in_force": "IOC"}, "/time_in_force"),
    ({"symbol": "aapl"}, "/symbol"),
    ({"symbol": "A" * 33}, "/symbol"),
    ({"symbol": "ZZZZ"}, "/symbol"),
    ({"account_id": "mine"}, "/account_id"),
    ({"client_order_id": ""}, "/client_order_id"),
    ({"client_order_id": "x" * 65}, "/client_order_id"),
    ({"client_order_id": "nul\x00"}, "/client_order_id"),
    ({"limit_price": "100"}, "/limit_price"),
    ({"order_type": "LIMIT"}, "/limit_price"),
    (LIMIT | {"limit_price": "0"}, "/limit_price"),
    (LIMIT | {"limit_price": "-5"}, "/limit_price"),
    (LIMIT | {"limit_price": "9" * 30}, "/limit_price"),
    ({"leverage": "10"}, "/leverage"),
]
BAD_ACCOUNTS: list[tuple[dict[str, object], str]] = [
    ({"name": ""}, "/name"),
    ({"name": "nul\x00"}, "/name"),
    ({"name": "x" * 101}, "/name"),
    ({"name": 7}, "/name"),
    ({"currency": "dollars"}, "/currency"),
    ({"initial_cash": "0"}, "/initial_cash"),
    ({"initial_cash": "-100"}, "/initial_cash"),
    ({"initial_cash": "1e11"}, "/initial_cash"),
    ({"initial_cash": "NaN"}, "/initial_cash"),
    ({"initial_cash": 0.1}, "/initial_cash"),
    ({"auto_trading": "yes"}, "/auto_trading"),
    ({"broker": "live"}, "/broker"),
]
BAD_PARAMETERS = [
    ("/v1/orders?limit=1000000000", "limit"),
    ("/v1/orders?limit=-1", "limit"),
    ("/v1/orders?cursor=nonsense", "cursor"),
    ("/v1/orders?status=SLEEPING", "status"),
    ("/v1/orders?symbol=aapl", "symbol"),
    ("/v1/orders?account_id=mine", "account_id"),
    ("/v1/orders/mine", "order_id"),
    ("/v1/fills?order_id=mine", "order_id"),
    ("/v1/fills?cursor=W10", "cursor"),
    ("/v1/accounts?limit=many", "limit"),
    ("/v1/accounts/mine", "account_id"),
]


def named(answer: Response) -> list[str]:
    """The fields that a refusal names."""
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return [error["pointer"] for error in answer.json()["errors"]]


async def test_a_bad_field_of_an_order_is_named(workspace: Workspace) -> None:
    found = [(changes, named(await workspace.orders_it(**changes))) for changes, _ in BAD_ORDERS]

    assert found == [(changes, [pointer]) for changes, pointer in BAD_ORDERS]
    assert await workspace.items("/v1/orders") == []


async def test_a_bad_field_of_an_account_is_named(workspace: Workspace) -> None:
    good = {"name": "two", "initial_cash": "1000"}
    found = [(c, named(await workspace.client.post("/v1/accounts", json=good | c))) for c, _ in BAD_ACCOUNTS]

    assert found == [(changes, [pointer]) for changes, pointer in BAD_ACCOUNTS]
    assert len(await workspace.items("/v1/accounts")) == 1


async def test_a_bad_parameter_is_named(workspace: Workspace) -> None:
    found = [(path, named(await workspace.client.get(path))) for path, _ in BAD_PARAMETERS]

    assert found == [(path, [pointer]) for path, pointer in BAD_PARAMETERS]


async def test_an_unknown_instrument_is_a_problem_of_its_own(workspace: Workspace) -> None:
    answer = await workspace.orders_it(symbol="ZZZZ")

    assert answer.json()["type"] == "urn:fillstream:problem:unknown-symbol"


async def test_another_workspaces_things_are_as_if_absent(workspace: Workspace, world: World) -> None:
    stranger = await open_workspace(world, workspace.running)
    order = (await workspace.orders_it(**LIMIT)).json()
    attempts = [
        await stranger.client.get(f"/v1/orders/{order['id']}"),
        await stranger.client.post(f"/v1/orders/{order['id']}/cancel"),
        await stranger.client.get(f"/v1/accounts/{workspace.account_id}"),
        await stranger.client.patch(f"/v1/accounts/{workspace.account_id}", json={"name": "mine now"}),
        await stranger.orders_it(account_id=workspace.account_id, **LIMIT),
    ]
    absent = await stranger.client.get(f"/v1/orders/{uuid7()}")

    assert [answer.status_code for answer in attempts] == [404] * 5
    assert {answer.json()["type"] for answer in attempts} == {absent.json()["type"]}
    assert await stranger.items("/v1/orders") == []
    assert await stranger.items("/v1/orders", account_id=workspace.account_id) == []
    assert [order["status"] for order in await workspace.items("/v1/orders")] == ["NEW"]


async def test_a_token_needs_the_scope(workspace: Workspace) -> None:
    reader = await workspace.running.client(workspace.tenant_id, ("orders:read",))
    nobody = await workspace.running.anonymous()

    assert (await reader.get("/v1/orders")).status_code == 200
    assert (await reader.post("/v1/orders", json=workspace.an_order(**LIMIT))).status_code == 403
    assert (await reader.get("/v1/accounts")).status_code == 403
    assert (await nobody.get("/v1/orders")).status_code == 401


async def test_of_fifty_orders_at_once_with_funds_for_one_one_is_accepted(workspace: Workspace, world: World) -> None:
    wanted = LIMIT | {"quantity": "600"}
    answers = await asyncio.gather(*(workspace.orders_it(**wanted) for _ in range(50)))

    assert Counter(answer.json()["status"] for answer in answers) == {"NEW": 1, "DENIED": 49}
    await world.expect(OrderAccepted, 1)
    await world.expect(OrderDenied, 49)
    assert (await workspace.account())["reserved"] == "60060.00"


async def test_fifty_requests_at_once_with_one_key_have_one_effect(workspace: Workspace, world: World) -> None:
    headers = {"Idempotency-Key": "once"}
    body = workspace.an_order(**LIMIT)
    answers = await asyncio.gather(
        *(workspace.client.post("/v1/orders", json=body, headers=headers) for _ in range(50))
    )

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(await workspace.items("/v1/orders")) == 1
    await world.expect(OrderAccepted, 1)


async def test_a_key_is_for_one_request(workspace: Workspace) -> None:
    headers = {"Idempotency-Key": "once"}
    await workspace.client.post("/v1/orders", json=workspace.an_order(**LIMIT), headers=headers)

    other = await workspace.client.post("/v1/orders", json=workspace.an_order(**LIMIT, quantity="11"), headers=headers)

    assert (other.status_code, other.json()["errors"][0]["pointer"]) == (422, "Idempotency-Key")


async def test_an_account_is_opened_once_for_one_key(workspace: Workspace, world: World) -> None:
    headers = {"Idempotency-Key": "account"}
    body = {"name": "two", "initial_cash": "1000"}
    first = await workspace.client.post("/v1/accounts", json=body, headers=headers)
    again = await workspace.client.post("/v1/accounts", json=body, headers=headers)

    assert first.json() == again.json()
    await world.expect(AccountOpened, 2)


async def test_of_accounts_opened_at_once_for_signals_one_is(workspace: Workspace) -> None:
    stranger = await workspace.running.client(uuid7())
    body = {"name": "signals", "initial_cash": "1000", "auto_trading": True}
    answers = await asyncio.gather(*(stranger.post("/v1/accounts", json=body) for _ in range(5)))

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 4}


async def test_a_client_order_id_is_used_once_in_an_account(workspace: Workspace) -> None:
    first = await workspace.orders_it(**LIMIT, client_order_id="mine")
    again = await workspace.orders_it(**LIMIT, client_order_id="mine")

    assert (first.status_code, first.json()["client_order_id"]) == (201, "mine")
    assert (again.status_code, again.json()["type"]) == (409, "urn:fillstream:problem:client-order-id-taken")


async def test_a_closed_order_is_not_cancelled(workspace: Workspace, world: World) -> None:
    order = (await workspace.orders_it(**LIMIT)).json()
    path = f"/v1/orders/{order['id']}/cancel"
    assert (await workspace.client.post(path)).status_code == 202

    again = await workspace.client.post(path)

    assert (again.status_code, again.json()["detail"]) == (409, "an order that is CANCELED can't become PENDING_CANCEL")
    assert (await workspace.client.post(f"/v1/orders/{uuid7()}/cancel")).status_code == 404


async def test_an_instrument_in_another_currency_is_denied(workspace: Workspace) -> None:
    await workspace.hears(listed("SAP", "EUR"))

    order = (await workspace.orders_it(symbol="SAP", **LIMIT)).json()

    assert (order["status"], order["reject_reason"]) == ("DENIED", "currency-mismatch")


async def test_a_market_order_for_what_never_traded_is_denied(workspace: Workspace) -> None:
    order = (await workspace.orders_it()).json()

    assert (order["status"], order["reject_reason"]) == ("DENIED", "no-reference-price")


async def test_the_largest_figures_are_a_denial_not_an_error(workspace: Workspace) -> None:
    order = (await workspace.orders_it(order_type="LIMIT", quantity="9" * 12, limit_price="9" * 12)).json()

    assert (order["status"], order["reject_reason"]) == ("DENIED", "notional-too-large")


async def test_the_smallest_figures_trade(workspace: Workspace, world: World) -> None:
    await workspace.orders_it(order_type="LIMIT", quantity="0.00000001", limit_price="353.51")
    await workspace.sees(a_bar(ahead(1), "353.51"))

    (filled,) = await world.expect(OrderFilled, 1)
    assert (filled.event.average_price, filled.event.commission) == (filled.event.last_price, 0)
    assert (await workspace.account())["cash"] == "99999.99999646"


async def test_bars_of_the_past_trade_nothing_that_is_ordered_now(workspace: Workspace, world: World) -> None:
    await workspace.sees(a_bar(LONG_AGO))
    await workspace.orders_it()
    await workspace.sees(a_bar(LONG_AGO.replace(day=2)))

    await world.expect(OrderFilled, 0)
    assert [order["status"] for order in await workspace.items("/v1/orders")] == ["NEW"]
