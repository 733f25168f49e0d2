"""What is a valid request to a route of all contexts but auth? Made by the API alone, with what has to be there before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import count

from tests.interfaces.people import Call, Person

Maker = Callable[[Person], Awaitable[Call]]

_numbers = count(1)
_LONG_AGO = datetime(1990, 1, 1, tzinfo=UTC)
_ROOM_FOR_STRATEGIES = 6


async def nothing(_person: Person) -> Call:
    """Nothing is needed."""
    return Call()


async def an_unlisted_instrument(_person: Person) -> Call:
    return Call({"symbol": f"NEW{next(_numbers)}", "name": "New", "currency": "USD"})


async def a_listed_instrument(_person: Person) -> Call:
    return Call(path={"symbol": "AAPL"})


async def bars_of_a_listed_instrument(_person: Person) -> Call:
    return Call(query={"symbol": "AAPL"})


async def a_new_bar(_person: Person) -> Call:
    """Of an instrument that nobody trades, long ago: nothing follows from it."""
    opens = _LONG_AGO + timedelta(days=next(_numbers))
    prices = {"open": "100", "high": "110", "low": "90", "close": "105", "volume": "1000"}
    return Call({"bars": [{"symbol": "IBM", "timeframe": "1d", "open_time": opens.isoformat()} | prices]})


async def a_corrected_bar(person: Person) -> Call:
    """One that was kept with another close, of an instrument that nobody trades, long ago."""
    call = await a_new_bar(person)
    await person.made("POST /v1/bars", call)
    assert isinstance(call.body, dict)
    return Call(call.body["bars"][0] | {"close": "104"})


async def a_new_account(_person: Person) -> Call:
    return Call({"name": f"account {next(_numbers)}", "currency": "USD", "initial_cash": "1000"})


async def an_account(person: Person) -> Call:
    return Call(path={"account_id": await person.first("/v1/accounts")})


async def an_account_to_rename(person: Person) -> Call:
    return Call({"name": f"renamed {next(_numbers)}"}, path={"account_id": await person.first("/v1/accounts")})


async def of_an_account(person: Person) -> Call:
    return Call(query={"account_id": await person.first("/v1/accounts")})


async def a_position(person: Person) -> Call:
    return Call(path={"symbol": "AAPL"}, query={"account_id": await person.first("/v1/accounts")})


async def a_new_order(person: Person) -> Call:
    """So cheap that nobody trades with it."""
    return Call(
        {
            "account_id": await person.first("/v1/accounts"), "symbol": "AAPL", "side": "BUY", "order_type": "LIMIT",
            "quantity": "1", "limit_price": "1", "time_in_force": "GTC",
        }
    )  # fmt: skip


async def an_open_order(person: Person) -> Call:
    placed = await person.made("POST /v1/orders", await a_new_order(person))
    return Call(path={"order_id": placed["id"]})


async def fills_of_an_order(person: Person) -> Call:
    return Call(query={"order_id": await person.first("/v1/fills", "order_id")})


async def a_new_strategy(person: Person) -> Call:
    # The plan allows only so many: the newest make room, the one with a history stays.
    for known in (await person.items("/v1/strategies"))[_ROOM_FOR_STRATEGIES:]:
        await person.made("DELETE /v1/strategies/{strategy_id}", Call(path={"strategy_id": known["id"]}))
    return Call(
        {
            "name": f"strategy {next(_numbers)}", "symbol": "IBM", "timeframe": "1d", "size": "1",
            "parameters": {"kind": "sma_cross", "fast": 2, "slow": 5},
        }
    )  # fmt: skip


async def a_strategy(person: Person) -> Call:
    made = await person.made("POST /v1/strategies", await a_new_strategy(person))
    return Call(path={"strategy_id": made["id"]})


async def a_paused_strategy(person: Person) -> Call:
    call = await a_strategy(person)
    await person.made("POST /v1/strategies/{strategy_id}/pause", call)
    return call


async def signals_of_a_strategy(person: Person) -> Call:
    return Call(query={"strategy_id": await person.first("/v1/signals", "strategy_id")})


async def a_new_backtest(_person: Person) -> Call:
    parameters = {"kind": "sma_cross", "fast": 1, "slow": 2}
    return Call({"symbol": "AAPL", "timeframe": "1d", "size": "1", "parameters": parameters})


async def a_backtest(person: Person) -> Call:
    made = await person.made("POST /v1/backtests", await a_new_backtest(person))
    return Call(path={"backtest_id": made["id"]})


async def a_notification(person: Person) -> Call:
    return Call(path={"notification_id": await person.first("/v1/notifications")})


async def all_that_was_told(_person: Person) -> Call:
    return Call(query={"after": "0"})
