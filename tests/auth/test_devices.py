"""A device logs in without a password (RFC 8628): once, for whom and as long as a person says, and for nobody who guesses."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from httpx2 import AsyncClient
from hypothesis import given
from hypothesis import strategies as st

from libs.kit.errors import NotFound
from services.auth.device_codes import DeviceCode, UserCode
from services.auth.repository.devices import NewDevice, insert_device
from tests.auth.builders import Forger, Person, a_person, private_key, refresh, verifier
from tests.auth.devices import APPROVAL, CLIENT, Device, a_device, error, time_passes
from tests.world import Running, World


@pytest.fixture
async def ada(client: AsyncClient) -> Person:
    return await a_person(client)


@pytest.fixture
async def device(client: AsyncClient) -> Device:
    return await a_device(client)


async def test_a_device_is_told_its_codes_and_where_to_type_them(client: AsyncClient) -> None:
    answer = await client.post("/v1/auth/device", data={"client_id": CLIENT})

    told = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    assert re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", told["user_code"])
    assert len(told["device_code"]) >= 43
    assert (told["expires_in"], told["interval"]) == (600, 5)
    assert told["verification_uri"] == "http://127.0.0.1:8000/v1/auth/device/approval"
    assert told["verification_uri_complete"] == f"{told['verification_uri']}?user_code={told['user_code']}"


async def test_an_approved_device_gets_a_session_of_whoever_approved_it(
    client: AsyncClient, world: World, ada: Person, device: Device
) -> None:
    assert error(await device.poll()) == "authorization_pending"
    approved = await device.decided(ada)
    await time_passes(world, 5)

    answer = await device.poll()

    assert approved.json()["state"] == "APPROVED"
    session = answer.raise_for_status().json()
    caller = await verifier(client).verify(session["access_token"])
    assert (str(caller.user_id), str(caller.tenant_id)) == (ada.user_id, ada.workspace_id)
    assert session["token_type"] == "Bearer"
    assert (await refresh(client, session["refresh_token"])).status_code == 200


async def test_json_is_as_good_as_a_form(client: AsyncClient, ada: Person) -> None:
    asked = (await client.post("/v1/auth/device", json={"client_id": CLIENT})).json()
    await Device(client, asked["device_code"], asked["user_code"]).decided(ada)
    grant = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "client_id": CLIENT}

    answer = await client.post("/v1/auth/token", json=grant | {"device_code": asked["device_code"]})

    assert answer.status_code == 200, answer.text


async def test_a_person_sees_who_asks_before_they_answer(client: AsyncClient, ada: Person, device: Device) -> None:
    answer = await client.get(APPROVAL, params={"user_code": device.user_code}, headers=ada.bearer)

    shown = answer.raise_for_status().json()
    assert (shown["client_name"], shown["address"], shown["state"]) == (
        "The fillstream command",
        "127.0.0.1",
        "PENDING",
    )
    assert device.device_code not in answer.text


async def test_a_device_that_polls_too_fast_is_told_to_slow_down_more_and_more(world: World, device: Device) -> None:
    errors = [error(await device.poll()) for _ in range(3)]
    assert errors == ["authorization_pending", "slow_down", "slow_down"]

    await time_passes(world, 14)
    assert error(await device.poll()) == "slow_down"
    await time_passes(world, 20)
    assert error(await device.poll()) == "authorization_pending"


async def test_a_denied_device_gets_nothing_ever(world: World, ada: Person, device: Device) -> None:
    await device.decided(ada, "DENY")

    assert error(await device.poll()) == "access_denied"
    assert (await device.decided(ada, "APPROVE")).status_code == 404
    await time_passes(world, 5)
    assert error(await device.poll()) == "access_denied"


async def test_an_approval_that_is_fetched_too_late_has_expired(world: World, ada: Person, device: Device) -> None:
    await device.decided(ada)
    await time_passes(world, 600)

    assert error(await device.poll()) == "expired_token"


async def test_nobody_can_approve_a_device_that_waited_too_long(world: World, ada: Person, device: Device) -> None:
    await time_passes(world, 600)

    assert (await device.decided(ada)).status_code == 404


async def test_a_device_s_session_is_no_fresher_and_no_longer_than_its_persons_login(
    client: AsyncClient, world: World, ada: Person, device: Device
) -> None:
    (login,) = await world.fetch("SELECT authenticated_at, expires_at FROM auth.session")
    await device.decided(ada)
    await device.poll()

    (made,) = await world.fetch("SELECT authenticated_at, expires_at FROM auth.session ORDER BY id DESC LIMIT 1")
    # A token says the second of the login.
    assert made["authenticated_at"] == login["authenticated_at"].replace(microsecond=0)
    assert made["expires_at"] <= login["expires_at"]


async def test_an_approval_ends_with_the_sessions_of_its_person(
    client: AsyncClient, ada: Person, device: Device
) -> None:
    await device.decided(ada)

    assert (await client.delete("/v1/sessions", headers=ada.bearer)).status_code == 204

    assert error(await device.poll()) == "access_denied"


async def test_a_device_code_works_once(world: World, ada: Person, device: Device) -> None:
    await device.decided(ada)
    await device.poll()
    await time_passes(world, 60)

    assert error(await device.poll()) == "invalid_grant"


async def test_of_twenty_polls_at_once_one_gets_a_session(world: World, ada: Person, device: Device) -> None:
    await device.decided(ada)
    before = await _sessions(world)

    answers = await asyncio.gather(*(device.poll() for _ in range(20)))

    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: 19}
    assert await _sessions(world) == before + 1


async def test_of_ten_decisions_at_once_one_counts(ada: Person, device: Device) -> None:
    answers = await asyncio.gather(*(device.decided(ada, ("APPROVE", "DENY")[number % 2]) for number in range(10)))

    assert Counter(answer.status_code for answer in answers) == {200: 1, 404: 9}


async def test_whoever_was_deactivated_after_approving_gives_no_session(
    world: World, ada: Person, device: Device
) -> None:
    await device.decided(ada)
    await world.fetch('UPDATE auth."user" SET is_active = false')

    assert error(await device.poll()) == "invalid_grant"


async def test_the_code_on_the_screen_is_no_device_code(device: Device) -> None:
    assert error(await device.poll(device_code=device.user_code)) == "invalid_grant"


async def test_a_token_that_may_do_less_than_its_person_approves_nothing(
    world: World, ada: Person, device: Device
) -> None:
    narrow = Forger(ada, await private_key(world)).token(scope="orders:read orders:write")

    answer = await device.decided(replace(ada, access_token=narrow))

    assert (answer.status_code, error(await device.poll())) == (403, "authorization_pending")


async def test_no_row_shows_a_code(world: World, device: Device) -> None:
    [row] = await world.fetch("SELECT t::text FROM auth.device_authorization t")

    for code in (device.user_code, device.user_code.replace("-", ""), device.device_code):
        assert code not in row[0]
        assert code.encode().hex() not in row[0]


@pytest.fixture
async def strict(world: World) -> AsyncIterator[AsyncClient]:
    """Auth where five codes may be tried in an hour from one address, and three by one person."""
    quotas = {"auth_user_codes_per_hour": 5, "auth_account_user_codes_per_hour": 3}
    async with world.running("auth", **quotas) as running:
        yield await running.anonymous()


async def _guess(client: AsyncClient, person: Person, number: int) -> int:
    code = f"BCDF-GHJ{'BCDFGHJKLM'[number]}"
    if number % 2:
        return (await client.get(APPROVAL, params={"user_code": code}, headers=person.bearer)).status_code
    body = {"user_code": code, "decision": "APPROVE"}
    return (await client.post(APPROVAL, json=body, headers=person.bearer)).status_code


async def test_a_person_who_guesses_codes_is_stopped_and_so_is_an_address(strict: AsyncClient) -> None:
    ada, bob = await a_person(strict), await a_person(strict, email="bob@example.com")

    by_ada = [await _guess(strict, ada, number) for number in range(4)]
    by_bob = [await _guess(strict, bob, number) for number in range(2)]

    assert by_ada == [404, 404, 404, 429]
    assert by_bob == [404, 429]


async def test_whoever_guessed_too_often_can_not_approve_a_code_that_is_right(strict: AsyncClient) -> None:
    ada, device = await a_person(strict), await a_device(strict)
    for number in range(3):
        await _guess(strict, ada, number)

    assert (await device.decided(ada)).status_code == 429
    assert error(await device.poll()) == "authorization_pending"


@given(
    st.text("BCDFGHJKLMNPQRSTVWXZ", min_size=8, max_size=8),
    st.lists(st.sampled_from(" -._\t"), min_size=9, max_size=9),
    st.sampled_from([str.lower, str.upper, str.swapcase]),
)
def test_a_code_is_the_same_in_any_case_and_with_any_punctuation(
    letters: str, between: list[str], written: Callable[[str], str]
) -> None:
    typed = "".join(a + b for a, b in zip(between, letters + " ", strict=True))
    assert UserCode.parse(written(typed)) == UserCode(letters)
    assert UserCode.parse(str(UserCode(letters))) == UserCode(letters)


@given(st.text(max_size=40))
def test_what_is_no_code_is_found_nowhere(typed: str) -> None:
    try:
        code = UserCode.parse(typed)
    except NotFound:
        return
    assert len(code.letters) == 8


async def test_a_code_that_another_device_has_is_given_to_nobody_else(auth: Running) -> None:
    def with_codes(device_code: DeviceCode, user_code: UserCode) -> NewDevice:
        return NewDevice(CLIENT, "192.0.2.1", device_code, user_code, timedelta(seconds=5), datetime.now(UTC))

    code, shown = DeviceCode.generate(), UserCode.generate()
    async with auth.db.public() as tx:
        assert await insert_device(tx, with_codes(code, shown))
        assert not await insert_device(tx, with_codes(DeviceCode.generate(), shown))
        assert not await insert_device(tx, with_codes(code, UserCode.generate()))


def test_codes_are_drawn_from_all_letters() -> None:
    assert len({letter for _ in range(500) for letter in UserCode.generate().letters}) == 20


async def _sessions(world: World) -> int:
    return int((await world.fetch("SELECT count(DISTINCT session_id) FROM auth.refresh_token"))[0][0])
