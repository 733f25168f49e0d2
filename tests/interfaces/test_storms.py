"""What happens when everybody comes at once? One effect for one key, one winner where there can be only one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

import pytest
from httpx2 import Response

from fillstream.contexts import load_all
from fillstream.openapi import merged_document
from tests.auth.builders import bearer
from tests.interfaces.calls import a_new_order, an_unlisted_instrument
from tests.interfaces.expectations import EXPECTATIONS
from tests.interfaces.people import Call, Person
from tests.interfaces.premises import Neighbours, Premises, workspace_of
from tests.interfaces.requests import Request
from tests.interfaces.rows import row_counts

ROUNDS = 200
AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Repeatable:
    """A route that does a repeated request once, and its part of the rounds."""

    route: str
    rounds: int

    @property
    def title(self) -> str:
        """How the case is called."""
        return f"{self.route} · {self.rounds} rounds"


def _repeatable() -> Iterator[Repeatable]:
    taking = [
        f"{method.upper()} {path}"
        for path, methods in merged_document(load_all())["paths"].items()
        for method, said in methods.items()
        if any(parameter["name"].lower() == "idempotency-key" for parameter in said.get("parameters", ()))
    ]
    share, more = divmod(ROUNDS, len(taking))
    yield from (Repeatable(route, share + (place < more)) for place, route in enumerate(taking))


async def at_once(*sent: Awaitable[Response]) -> list[Response]:
    """The answers to requests that are all on their way before the first is answered."""
    return await asyncio.gather(*sent)


def statuses(answers: list[Response]) -> Counter[int]:
    """How often each status came."""
    return Counter(answer.status_code for answer in answers)


async def effect_of(premises: Premises, person: Person, route: str, call: Call, key: str, times: int) -> Effect:
    """Send a call `times` at once with one key, and look at what came of it."""
    owner = premises.owner(route)
    request = Request.of(route, call, bearer(person.everything) | {"Idempotency-Key": key})
    before = await row_counts(premises.admin, owner)
    answers = await asyncio.gather(*(request.sent_to(premises.apps[owner]) for _ in range(times)))
    after = await row_counts(premises.admin, owner)
    return Effect(
        {table: after[table] - before[table] for table in after if after[table] != before[table]},
        Counter(answer.status for answer in answers),
        len({answer.body for answer in answers}),
        sum(b"idempotency-replayed" not in answer.headers for answer in answers),
    )


@dataclass(frozen=True, slots=True)
class Effect:
    """What came of requests with one key."""

    new_rows: Mapping[str, int]
    statuses: Mapping[int, int]
    different_answers: int
    done: int
    """Answers that do not say to be repetitions."""


@pytest.mark.parametrize("one", list(_repeatable()))
async def test_fifty_at_once_with_one_key_have_the_effect_of_one(
    premises: Premises, neighbours: Neighbours, one: Repeatable
) -> None:
    ada, make = neighbours.ada, EXPECTATIONS[one.route].make
    await premises.in_flight.wait_until_none()
    # The very first one may make what the later ones find.
    await effect_of(premises, ada, one.route, await make(ada), f"{one.route} first", 1)
    alone = await effect_of(premises, ada, one.route, await make(ada), f"{one.route} alone", 1)
    assert alone.new_rows["events"] >= 1, "the effect that the storms are compared with is none"
    [status] = alone.statuses

    for number in range(one.rounds):
        storm = await effect_of(premises, ada, one.route, await make(ada), f"{one.route} {number}", AT_ONCE)
        assert storm == Effect(alone.new_rows, {status: AT_ONCE}, 1, 1), f"round {number}"


async def an_account_of(person: Person, cash: Decimal) -> str:
    """A new account with so much cash."""
    body = {"name": "storm", "currency": "USD", "initial_cash": str(cash)}
    return str((await person.made("POST /v1/accounts", Call(body)))["id"])


async def the_account(person: Person, account_id: str) -> Mapping[str, str]:
    """The account as it stands."""
    return await person.made("GET /v1/accounts/{account_id}", Call(path={"account_id": account_id}))


async def test_of_fifty_orders_with_funds_for_one_one_is_accepted(premises: Premises, neighbours: Neighbours) -> None:
    ada = neighbours.ada
    # There are no bars of it that could fill the order.
    body = ((await a_new_order(ada)).body or {}) | {"symbol": "IBM", "quantity": "7", "limit_price": "99.5"}
    rich = await an_account_of(ada, Decimal(1_000_000))
    await ada.made("POST /v1/orders", Call(body | {"account_id": rich}))
    needed = Decimal((await the_account(ada, rich))["reserved"])
    assert needed >= Decimal("696.50")
    poor = await an_account_of(ada, needed)
    order = Call(body | {"account_id": poor})

    answers = await at_once(*(premises.send("POST /v1/orders", order, bearer(ada.everything)) for _ in range(AT_ONCE)))

    assert statuses(answers) == {201: AT_ONCE}
    became = Counter((answer.json()["status"], answer.json()["reject_reason"]) for answer in answers)
    assert became == {("NEW", None): 1, ("DENIED", "insufficient-buying-power"): AT_ONCE - 1}
    account = await the_account(ada, poor)
    assert (Decimal(account["reserved"]), Decimal(account["cash"])) == (needed, needed)
    kept = await premises.fetch("SELECT status, count(*) FROM orders.order WHERE account_id = $1 GROUP BY 1", poor)
    assert dict(kept) == {"NEW": 1, "DENIED": AT_ONCE - 1}


async def test_of_fifty_cancellations_of_an_order_one_counts(premises: Premises, neighbours: Neighbours) -> None:
    ada = neighbours.ada
    account = await an_account_of(ada, Decimal(1_000))
    body = ((await a_new_order(ada)).body or {}) | {"account_id": account}
    placed = await ada.made("POST /v1/orders", Call(body))
    assert Decimal((await the_account(ada, account))["reserved"]) > 0
    route, call = "POST /v1/orders/{order_id}/cancel", Call(path={"order_id": placed["id"]})

    answers = await at_once(*(premises.send(route, call, bearer(ada.everything)) for _ in range(AT_ONCE)))

    assert statuses(answers) == {202: 1, 409: AT_ONCE - 1}
    assert Decimal((await the_account(ada, account))["reserved"]) == 0
    await premises.in_flight.wait_until_none()
    [told] = await premises.fetch(
        "SELECT count(*) FROM orders.event_log WHERE subject = $1 AND type LIKE '%OrderCancelled%'", placed["id"]
    )
    assert told[0] == 1


async def test_orders_and_cancellations_at_once_leave_reserved_what_the_open_orders_need(
    premises: Premises, neighbours: Neighbours
) -> None:
    ada = neighbours.ada
    account = await an_account_of(ada, Decimal(1_000))
    body = ((await a_new_order(ada)).body or {}) | {"account_id": account}
    placed = [await ada.made("POST /v1/orders", Call(body)) for _ in range(10)]
    needed = (await the_account(ada, account))["reserved"]
    route, token = "POST /v1/orders/{order_id}/cancel", bearer(ada.everything)

    answers = await at_once(
        *(premises.send(route, Call(path={"order_id": order["id"]}), token) for order in placed for _ in range(3)),
        *(premises.send("POST /v1/orders", Call(body), token) for _ in range(10)),
    )

    assert statuses(answers) == {202: 10, 409: 20, 201: 10}
    assert (await the_account(ada, account))["reserved"] == needed


async def test_of_fifty_registrations_of_an_address_one_counts(premises: Premises) -> None:
    writings = ["storm@example.com", "Storm@Example.com", "STORM@EXAMPLE.COM"]
    calls = [
        Call({"email": writings[number % 3], "password": f"the password of number {number}"})
        for number in range(AT_ONCE)
    ]
    before = await row_counts(premises.admin, "auth")

    answers = await at_once(*(premises.send("POST /v1/auth/register", call, {}) for call in calls))

    assert statuses(answers) == {201: 1, 409: AT_ONCE - 1}
    after = await row_counts(premises.admin, "auth")
    new = {table: after[table] - before[table] for table in after if after[table] != before[table]}
    made = ("user", "workspace", "membership", "mailed_token")
    assert {table: new.get(table) for table in made} == dict.fromkeys(made, 1)
    winner = calls[[answer.status_code for answer in answers].index(201)]
    assert (await premises.send("POST /v1/auth/login", winner, {})).status_code == 200


async def test_of_twenty_uses_of_a_refresh_token_one_counts_and_all_get_its_answer(
    premises: Premises, neighbours: Neighbours
) -> None:
    session = await neighbours.ada.log_in()
    call = Call({"refresh_token": session.refresh_token})

    answers = await at_once(*(premises.send("POST /v1/auth/refresh", call, {}) for _ in range(20)))

    assert statuses(answers) == {200: 20}
    # They come from one client: its tabs, or one that lost an answer, so that there is one next token.
    [newer] = {answer.json()["refresh_token"] for answer in answers}
    last = await premises.send("POST /v1/auth/refresh", Call({"refresh_token": newer}), {})
    assert last.status_code == 200


async def test_of_fifty_listings_of_an_instrument_one_counts(premises: Premises, neighbours: Neighbours) -> None:
    call, token = await an_unlisted_instrument(neighbours.ada), bearer(neighbours.ada.everything)

    answers = await at_once(*(premises.send("POST /v1/instruments", call, token) for _ in range(AT_ONCE)))

    assert statuses(answers) == {201: 1, 409: AT_ONCE - 1}


async def test_of_fifty_accounts_that_would_trade_signals_one_is_opened(premises: Premises) -> None:
    person = await premises.register("frank@example.com")
    body = {"name": "automatic", "currency": "USD", "initial_cash": "1000", "auto_trading": True}
    token = bearer(person.everything)

    answers = await at_once(*(premises.send("POST /v1/accounts", Call(body), token) for _ in range(AT_ONCE)))

    assert statuses(answers) == {201: 1, 409: AT_ONCE - 1}
    kept = await premises.fetch("SELECT FROM orders.account WHERE tenant_id = $1", workspace_of(person))
    assert len(kept) == 1


async def test_of_fifty_strategies_no_more_are_made_than_the_plan_allows(premises: Premises) -> None:
    person = await premises.register("grace@example.com")
    allowed = int((await person.made("GET /v1/entitlements", Call()))["max_strategies"])
    strategy = await EXPECTATIONS["POST /v1/strategies"].make(person)
    token = bearer(person.everything)
    assert allowed < AT_ONCE

    answers = await at_once(*(premises.send("POST /v1/strategies", strategy, token) for _ in range(AT_ONCE)))

    assert statuses(answers) == {201: allowed, 403: AT_ONCE - allowed}


async def test_one_of_fifty_deletions_of_a_strategy_counts(premises: Premises, neighbours: Neighbours) -> None:
    call = await EXPECTATIONS["DELETE /v1/strategies/{strategy_id}"].make(neighbours.ada)
    route, token = "DELETE /v1/strategies/{strategy_id}", bearer(neighbours.ada.everything)

    answers = await at_once(*(premises.send(route, call, token) for _ in range(AT_ONCE)))

    found = statuses(answers)
    assert found[204] == 1
    assert found[404] + found[409] == AT_ONCE - 1


async def test_fifty_readings_of_a_notification_keep_the_first(premises: Premises, neighbours: Neighbours) -> None:
    call = await EXPECTATIONS["POST /v1/notifications/{notification_id}/read"].make(neighbours.ada)
    route, token = "POST /v1/notifications/{notification_id}/read", bearer(neighbours.ada.everything)

    answers = await at_once(*(premises.send(route, call, token) for _ in range(AT_ONCE)))

    assert statuses(answers) == {200: AT_ONCE}
    assert len({answer.json()["read_at"] for answer in answers}) == 1
