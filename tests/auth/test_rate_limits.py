"""Whoever tries too often is stopped, at whichever replica they try, and is told when to come back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from httpx2 import AsyncClient, Response

from fillstream.serve import bind, listening
from services.auth.settings import Settings
from tests.auth.builders import EMAIL, PASSWORD, a_person, log_in, refresh, register
from tests.structured_fields import parse_list
from tests.world import PATIENCE_SECONDS, Running, World

QUOTA = 10


@pytest.fixture
async def replicas(world: World) -> AsyncIterator[tuple[Running, Running]]:
    """Two of auth, on one database, with small quotas."""
    quotas = {
        "auth_registrations_per_hour": QUOTA, "auth_logins_per_minute": QUOTA, "auth_refreshes_per_minute": QUOTA,
        "auth_account_logins_per_hour": 3,
    }  # fmt: skip
    async with world.running("auth", **quotas) as one, world.running("auth", **quotas) as other:
        yield one, other


@pytest.fixture
async def one(replicas: tuple[Running, Running]) -> AsyncClient:
    return await replicas[0].anonymous()


@pytest.fixture
async def other(replicas: tuple[Running, Running]) -> AsyncClient:
    return await replicas[1].anonymous()


def statuses(answers: list[Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


async def test_of_fifty_registrations_at_two_replicas_as_many_pass_as_the_quota_says(
    one: AsyncClient, other: AsyncClient, world: World
) -> None:
    answers = await asyncio.gather(
        *(register((one, other)[number % 2], email=f"p{number}@example.com") for number in range(50))
    )

    assert statuses(answers) == {201: QUOTA, 429: 50 - QUOTA}
    # What was refused has left nothing behind.
    assert (await world.fetch('SELECT count(*) FROM auth."user"'))[0][0] == QUOTA


async def test_logins_with_wrong_passwords_at_two_replicas_are_counted_together(
    one: AsyncClient, other: AsyncClient
) -> None:
    answers = await asyncio.gather(
        *(log_in((one, other)[number % 2], email=f"p{number}@example.com") for number in range(30))
    )

    assert statuses(answers) == {401: QUOTA, 429: 30 - QUOTA}


async def test_an_account_is_limited_in_any_writing_of_its_address_and_whoever_tries(
    one: AsyncClient, other: AsyncClient
) -> None:
    await register(one)
    writings = [EMAIL, EMAIL.upper(), f" {EMAIL.title()}"]

    answers = await asyncio.gather(
        *(log_in((one, other)[number % 2], email=writings[number % 3], password="wrong") for number in range(9))
    )

    assert statuses(answers) == {401: 3, 429: 6}
    assert (await log_in(one)).status_code == 429, "also with the right password, or guessing would go on"


async def test_an_account_that_is_not_there_is_limited_like_one_that_is(one: AsyncClient) -> None:
    answers = [await log_in(one, email="nobody@example.com") for _ in range(6)]

    assert [answer.status_code for answer in answers] == [401] * 3 + [429] * 3


async def test_refreshes_are_limited_and_the_session_outlives_the_refusal(
    one: AsyncClient, other: AsyncClient, world: World
) -> None:
    token = (await a_person(one)).refresh_token
    nonsense = await asyncio.gather(*(refresh((one, other)[number % 2], "x") for number in range(QUOTA)))

    refused = await refresh(one, token)

    assert statuses(nonsense) == {401: QUOTA}
    assert refused.status_code == 429
    await world.fetch("TRUNCATE auth.rate_limit")
    assert (await refresh(other, token)).status_code == 200


async def test_an_answer_to_a_login_tells_what_is_left_for_the_address_and_for_the_account(one: AsyncClient) -> None:
    answer = await log_in(one)

    assert answer.status_code == 401
    assert parse_list(answer.headers["ratelimit-policy"]) == [
        ("login", {"q": 10, "w": 60}),
        ("login-account", {"q": 3, "w": 3600}),
    ]
    assert parse_list(answer.headers["ratelimit"]) == [
        ("login", {"r": 9, "t": 6}),
        ("login-account", {"r": 2, "t": 1200}),
    ]


async def test_no_server_of_ours_believes_what_a_neighbour_on_its_machine_says_of_others(
    replicas: tuple[Running, Running],
) -> None:
    listener = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with (
        listening(replicas[0].service.http, listener),
        AsyncClient(base_url=url, trust_env=False, timeout=PATIENCE_SECONDS) as neighbour,
    ):
        answers = [
            await neighbour.post(
                "/v1/auth/login",
                json={"email": f"p{number}@example.com", "password": PASSWORD},
                headers={"X-Forwarded-For": f"192.0.2.{number}"},
            )
            for number in range(QUOTA + 1)
        ]

    assert answers[-1].status_code == 429


async def test_the_usual_quotas_are_scaled_for_whoever_acts_for_many(world: World) -> None:
    usual, scaled = world.settings_of("auth"), world.settings_of("auth", rate_limit_scale=1_000)
    assert isinstance(usual, Settings)
    assert isinstance(scaled, Settings)

    assert [1_000 * limit.quota for limit in usual.limits] == [limit.quota for limit in scaled.limits]
