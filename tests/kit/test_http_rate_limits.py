"""What do clients hear of limits? What is left, on every answer; and when there were too many, when to come back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from httpx2 import AsyncClient, Response

from libs.kit.http.rate_limits import by_name
from libs.kit.ids import uuid7
from libs.kit.rate_limits import RateLimit
from libs.kit.settings import Settings
from tests.kit.api import HOUR, Api, running_api
from tests.kit.probe import Admin
from tests.kit.test_http_problems import problem
from tests.structured_fields import parse_list


@pytest.fixture(autouse=True)
async def _nobody_asked_yet(api: Api) -> None:
    await api.fetch("TRUNCATE probe.rate_limit")


async def knock(client: AsyncClient, **changes: object) -> Response:
    return await client.post("/v1/knocks", json={"name": str(uuid7())} | changes)


def left(answer: Response) -> dict[str, int]:
    return {name: state["r"] for name, state in parse_list(answer.headers["ratelimit"])}


async def test_an_answer_tells_its_policies_and_what_is_left_of_them(anonymous: AsyncClient) -> None:
    answer = await knock(anonymous, name="ada")

    assert answer.status_code == 200, answer.text
    assert parse_list(answer.headers["ratelimit-policy"]) == [
        ("knock", {"q": 5, "w": 3600}),
        ("knock-name", {"q": 3, "w": 60}),
    ]
    assert parse_list(answer.headers["ratelimit"]) == [("knock", {"r": 4, "t": 720}), ("knock-name", {"r": 2, "t": 20})]


async def test_a_refusal_is_a_problem_and_tells_when_to_come_back(anonymous: AsyncClient) -> None:
    for _ in range(5):
        assert (await knock(anonymous)).status_code == 200

    answer = await knock(anonymous)

    assert problem(answer) == (429, "rate-limited")
    assert 718 <= int(answer.headers["retry-after"]) <= 720
    [(name, state)] = parse_list(answer.headers["ratelimit"])
    assert (name, state["r"]) == ("knock", 0)
    # Nobody is told to come back later than everything is there again.
    assert state["t"] >= int(answer.headers["retry-after"])


async def test_of_several_policies_the_one_that_is_used_up_refuses(anonymous: AsyncClient) -> None:
    for _ in range(3):
        await knock(anonymous, name="ada")

    refused = await knock(anonymous, name="ada")

    assert refused.status_code == 429
    assert left(refused) == {"knock": 1, "knock-name": 0}
    assert (await knock(anonymous, name="bob")).status_code == 200


async def test_a_request_that_comes_to_nothing_is_counted_too(anonymous: AsyncClient) -> None:
    failed, invalid = await knock(anonymous, fail=True), await knock(anonymous, price="no price")

    assert (failed.status_code, invalid.status_code) == (409, 422)
    assert left(failed) == {"knock": 4, "knock-name": 2}
    assert left(invalid) == {"knock": 3}


async def test_routes_without_limits_tell_of_none(client: AsyncClient) -> None:
    answer = await client.get("/v1/counters")

    assert not {"ratelimit", "ratelimit-policy"} & set(answer.headers)


async def test_a_token_is_limited_by_whom_it_speaks_for(api: Api) -> None:
    async with api.client(api.issuer.token(uuid7())) as ada, api.client(api.issuer.token(uuid7())) as bob:
        of_ada = [(await ada.get("/v1/turns")).status_code for _ in range(3)]
        of_bob = (await bob.get("/v1/turns")).status_code

    assert (of_ada, of_bob) == ([200, 200, 429], 200)


async def test_nobody_without_a_token_uses_up_anything(anonymous: AsyncClient, api: Api) -> None:
    assert (await anonymous.get("/v1/turns")).status_code == 401
    assert await api.fetch("SELECT FROM probe.rate_limit") == []


async def test_addresses_of_one_ipv6_network_share_a_bucket(api: Api) -> None:
    async with (
        api.client(address="2001:db8::1") as one,
        api.client(address="2001:db8::ffff:2") as neighbour,
        api.client(address="2001:db8:0:1::1") as stranger,
    ):
        answers = [await knock(client) for client in (one, neighbour, stranger)]

    assert [left(answer)["knock"] for answer in answers] == [4, 3, 4]


async def test_what_a_client_says_of_its_address_changes_nothing(anonymous: AsyncClient) -> None:
    for number in range(6):
        anonymous.headers["X-Forwarded-For"] = f"192.0.2.{number}"
        answer = await knock(anonymous)

    assert answer.status_code == 429


@pytest.fixture
async def behind_a_proxy(settings: Settings, api: Api) -> AsyncIterator[Api]:
    """The same context, which trusts a proxy."""
    trusting = Settings(**(settings.model_dump() | {"trusted_proxies": "198.51.100.1"}))
    async with running_api(trusting, api.issuer) as running:
        yield running


async def test_behind_a_trusted_proxy_every_client_has_a_bucket_of_its_own(behind_a_proxy: Api) -> None:
    async with behind_a_proxy.client(address="198.51.100.1") as proxy:
        answers = []
        for client in ("192.0.2.1", "192.0.2.1", "invented, 192.0.2.2"):
            proxy.headers["X-Forwarded-For"] = client
            answers.append(await knock(proxy))

    assert [answer.json() for answer in answers] == ["192.0.2.1", "192.0.2.1", "192.0.2.2"]
    assert [left(answer)["knock"] for answer in answers] == [4, 3, 4]


async def test_while_the_database_is_away_nobody_is_let_through_uncounted(settings: Settings, api: Api) -> None:
    admin = Admin(settings.database_url.get_secret_value())
    async with running_api(settings, api.issuer) as running, running.client() as client, admin.away():
        answer = await knock(client)

    assert problem(answer) == (503, "unavailable")


def test_two_policies_of_one_name_are_refused() -> None:
    limit = RateLimit("twin", 1, HOUR)
    with pytest.raises(ValueError, match="two rate limits have one name"):
        by_name([limit, replace(limit, quota=2)])
