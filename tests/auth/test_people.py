"""People say more of themselves, and nothing that is not theirs to say."""

from __future__ import annotations

import asyncio
from collections import Counter

import bcrypt
import pytest
from argon2 import PasswordHasher
from httpx2 import AsyncClient, Response

from libs.schema.auth import UserChanged
from services.auth.passwords import Passwords
from tests.auth.builders import Person, a_person, log_in
from tests.world import World


async def say(client: AsyncClient, person: Person, **said: object) -> Response:
    return await client.patch("/v1/me", json=said, headers=person.bearer)


async def test_what_is_left_out_stays_and_null_takes_away(client: AsyncClient, world: World) -> None:
    person = await a_person(client, first_name="Ada", last_name="Lovelace")

    said = {
        "username": "Ada.Lovelace", "avatar_url": "https://example.com/ada.png", "phone_number": "+44 20 7946 0958",
        "time_zone": "Europe/London", "language": "EN-gb", "preferences": {"theme": "dark"},
    }  # fmt: skip
    assert (await say(client, person, **said)).status_code == 200
    shown = (await say(client, person, last_name=None)).json()

    assert (shown["first_name"], shown["last_name"]) == ("Ada", None)
    assert (shown["phone_number"], shown["language"]) == ("+442079460958", "en-GB")
    assert shown["preferences"] == {"theme": "dark"}
    told = [one.event for one in await world.expect(UserChanged, 2)]
    assert (told[0].username, told[0].time_zone) == ("Ada.Lovelace", "Europe/London")
    assert told[1].last_name is None


async def test_saying_the_same_again_tells_nothing(client: AsyncClient, world: World) -> None:
    person = await a_person(client, first_name="Ada")

    await say(client, person, first_name="Ada")
    await world.settled("auth")

    assert world.published(UserChanged) == []


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"username": "admin"}, "/username"),
        ({"username": "аda"}, "/username"),  # noqa: RUF001 a Cyrillic letter
        ({"phone_number": "020 7946 0958"}, "/phone_number"),
        ({"time_zone": "../etc/passwd"}, "/time_zone"),
        ({"time_zone": None}, "/time_zone"),
        ({"language": "klingon"}, "/language"),
        ({"avatar_url": "javascript:alert(1)"}, "/avatar_url"),
        ({"preferences": {"x": "y" * 20_000}}, "/preferences"),
        ({"preferences": {str(n): n for n in range(51)}}, "/preferences"),
        ({"platform_role": "ADMIN"}, "/platform_role"),
        ({"email_verified": True}, "/email_verified"),
        ({"is_active": True}, "/is_active"),
        ({"tier": "ELITE"}, "/tier"),
        ({"email": "eve@example.com"}, "/email"),
    ],
)
async def test_what_is_not_theirs_to_say_is_refused_by_name(
    client: AsyncClient, said: dict[str, object], pointer: str
) -> None:
    person = await a_person(client)

    answer = await say(client, person, **said)

    assert answer.status_code == 422, answer.text
    assert {error["pointer"] for error in answer.json()["errors"]} == {pointer}


async def test_of_names_that_look_alike_one_is_given(client: AsyncClient) -> None:
    people = [await a_person(client, email=f"n{number}@example.com") for number in range(4)]
    names = ["paypal", "PayPa1", "pay.pal", "paypaI"]

    answers = await asyncio.gather(*(say(client, p, username=n) for p, n in zip(people, names, strict=True)))

    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 3}
    assert {answer.json().get("type") for answer in answers} == {None, "urn:fillstream:problem:username-taken"}


async def test_an_old_hash_is_upgraded_at_the_next_login_without_a_cut(client: AsyncClient, world: World) -> None:
    await a_person(client)
    long = "x1!" * 30
    old = bcrypt.hashpw(long.encode()[:72], bcrypt.gensalt(4)).decode()
    await world.fetch('UPDATE auth."user" SET password_hash = $1', old)

    assert (await log_in(client, password=long)).status_code == 200

    (row,) = await world.fetch('SELECT password_hash FROM auth."user"')
    assert row["password_hash"].startswith("$argon2id$")
    assert (await log_in(client, password=long)).status_code == 200
    assert (await log_in(client, password=long[:-1])).status_code == 401


async def test_a_hash_with_weaker_parameters_is_made_anew(client: AsyncClient, world: World) -> None:
    await a_person(client)
    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash("correct horse battery staple")
    await world.fetch('UPDATE auth."user" SET password_hash = $1', weak)

    assert (await log_in(client)).status_code == 200

    (row,) = await world.fetch('SELECT password_hash FROM auth."user"')
    assert row["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_whoever_comes_when_the_queue_is_full_is_told_to_come_again() -> None:
    passwords = Passwords(1, queue=2)
    results = await asyncio.gather(*(passwords.hash("x" * 12) for _ in range(8)), return_exceptions=True)

    assert Counter(type(result).__name__ for result in results) == {"str": 3, "Overloaded": 5}
