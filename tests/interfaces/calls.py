"""What is a valid request to a route, and what has to be there before it is sent? Made by the API alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import count

from tests.auth.builders import bearer
from tests.interfaces.people import Call, Person
from tests.world import eventually

Maker = Callable[[Person], Awaitable[Call]]

_numbers = count(1)
_LONG_AGO = datetime(1990, 1, 1, tzinfo=UTC)
_ROOM_FOR_STRATEGIES = 6
_A_PASSPORT = {"kind": "PASSPORT", "reference": "vault:documents/1"}


async def nothing(_person: Person) -> Call:
    """Nothing is needed."""
    return Call()


async def a_registration(_person: Person) -> Call:
    return Call({"email": f"new{next(_numbers)}@example.com", "password": "a password of somebody new"})


async def a_login(person: Person) -> Call:
    return Call({"email": person.email, "password": person.password})


async def a_refresh_token(person: Person) -> Call:
    return Call({"refresh_token": (await person.log_in()).refresh_token})


async def a_mailed_proof(person: Person) -> Call:
    return Call({"token": await person.mailbox(person, "VERIFY_EMAIL")})


async def a_mailed_key(person: Person) -> Call:
    return Call({"token": await person.mailbox(person, "UNLOCK")})


async def a_forgotten_password(_person: Person) -> Call:
    """Of nobody: a mail to somebody takes the place of the one that another call holds."""
    return Call({"email": f"nobody{next(_numbers)}@example.com"})


async def a_mailed_reset(person: Person) -> Call:
    """To the same password, so that everybody can go on with it."""
    return Call({"token": await person.mailbox(person, "RESET_PASSWORD"), "new_password": person.password})


async def a_password_to_change(person: Person) -> Call:
    return Call({"current_password": person.password, "new_password": person.password})


async def something_to_say(_person: Person) -> Call:
    return Call({"first_name": f"Name {next(_numbers)}"})


async def a_session(person: Person) -> Call:
    return Call(path={"session_id": (await person.log_in()).session_id})


async def a_refresh_grant(person: Person) -> Call:
    return Call({"grant_type": "refresh_token", "refresh_token": (await person.log_in()).refresh_token})


async def a_token_to_revoke(person: Person) -> Call:
    return Call({"token": (await person.log_in()).refresh_token})


async def a_device(_person: Person) -> Call:
    return Call({"client_id": "fillstream-cli"})


async def _a_shown_code(person: Person) -> str:
    return str((await person.made("POST /v1/auth/device", await a_device(person)))["user_code"])


async def a_code_to_look_at(person: Person) -> Call:
    return Call(query={"user_code": await _a_shown_code(person)})


async def a_code_to_approve(person: Person) -> Call:
    return Call({"user_code": await _a_shown_code(person), "decision": "APPROVE"})


async def a_change_of_profile(_person: Person) -> Call:
    income = {"amount": "75000.00", "currency": "USD"}
    return Call({"zip_code": f"{next(_numbers):06}", "annual_income": income, "max_daily_loss": income})


async def a_submission(person: Person) -> Call:
    """Of somebody whose national identifier is a new one: nothing of theirs waits or is verified."""
    await person.made("PATCH /v1/profile", Call({"pan_number": f"ABCPK{next(_numbers):04}F"}))
    return Call({"documents": [_A_PASSPORT]})


async def an_applicant(person: Person) -> Call:
    """Somebody else, who has registered only to hand in a passport."""
    known = Call({"email": f"applicant{next(_numbers)}@example.com", "password": "a password of an applicant"})
    made = (await person.send("POST /v1/auth/register", known, {})).raise_for_status().json()
    session = (await person.send("POST /v1/auth/login", known, {})).raise_for_status().json()
    handed_in = Call({"documents": [_A_PASSPORT]})
    (await person.send("POST /v1/kyc/submission", handed_in, bearer(session["access_token"]))).raise_for_status()
    return Call(path={"user_id": made["user_id"]})


async def a_decision(person: Person) -> Call:
    return Call({"submission": 1, "decision": "VERIFIED"}, path=(await an_applicant(person)).path)


async def a_step_to_complete(_person: Person) -> Call:
    return Call(path={"step": "first_account"})


async def a_step_to_skip(_person: Person) -> Call:
    return Call(path={"step": "second_factor"})


async def after_an_export(person: Person) -> Call:
    await an_export(person)
    return Call()


async def an_export(person: Person) -> Call:
    """One that can be downloaded."""

    async def ready() -> str:
        found = [one["id"] for one in await person.items("/v1/me/exports") if one["state"] == "READY"]
        assert found, "no export is ready"
        return str(found[0])

    if not await person.items("/v1/me/exports"):
        await person.made("POST /v1/me/exports", Call())
    return Call(path={"export_id": await eventually(ready)})


async def after_a_wish_to_go(person: Person) -> Call:
    await person.made("POST /v1/me/erasure", Call())
    return Call()


async def a_certificate_to_have(person: Person) -> Call:
    return Call({"token": await person.mailbox(person, "CERTIFICATE")})


async def an_unlisted_instrument(_person: Person) -> Call:
    return Call({"symbol": f"NEW{next(_numbers)}", "name": "New"})


async def a_listed_instrument(_person: Person) -> Call:
    return Call(path={"symbol": "AAPL"})


async def bars_of_a_listed_instrument(_person: Person) -> Call:
    return Call(query={"symbol": "AAPL"})


async def a_new_bar(_person: Person) -> Call:
    """Of an instrument that nobody trades, long ago: nothing follows from it."""
    opens = _LONG_AGO + timedelta(days=next(_numbers))
    prices = {"open": "100", "high": "110", "low": "90", "close": "105", "volume": "1000"}
    return Call({"bars": [{"symbol": "IBM", "timeframe": "1d", "open_time": opens.isoformat()} | prices]})


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
