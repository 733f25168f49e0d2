"""Whoever knows nothing but an address: their guesses lock what they guess at alone, and their mails are few."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from httpx2 import AsyncClient, Response

from libs.schema.auth import MailTemplate
from tests.auth.authenticator import ES256, Authenticator, a_key
from tests.auth.builders import (
    EMAIL,
    PASSWORD,
    Person,
    a_newcomer,
    a_person,
    forget_the_waits,
    log_in,
    mails,
    ticket,
)
from tests.auth.teams import invite
from tests.second_factor import App, asking, enrol
from tests.world import Running, World

HERE = "http://localhost:8000"
NOT_A_CODE = "0000-0000-0000-0000-0000-0000"


@pytest.fixture
async def ada(client: AsyncClient) -> Person:
    return await a_person(client)


@pytest.fixture
async def passkey(client: AsyncClient, ada: Person) -> Authenticator:
    """Ada's."""
    device = Authenticator(a_key(ES256), origin=HERE)
    begun = (await client.post("/v1/me/passkey-options", headers=ada.bearer)).raise_for_status().json()
    made = {"challenge": begun["challenge"], "credential": device.create(begun["options"]), "name": "Laptop"}
    (await client.post("/v1/me/passkeys", json=made, headers=ada.bearer)).raise_for_status()
    return device


@pytest.fixture
async def app(client: AsyncClient, ada: Person) -> App:
    """Ada's."""
    return await enrol(asking(client), ada.access_token)


async def guess_passwords(client: AsyncClient, world: World, times: int = 10) -> None:
    """Until the password is locked."""
    for _ in range(times):
        assert (await log_in(client, password="not the password")).status_code == 401
        await forget_the_waits(world)


async def challenge(client: AsyncClient) -> str:
    answer = await log_in(client)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["challenge"])


async def show(client: AsyncClient, waiting: str, code: str) -> Response:
    return await client.post("/v1/auth/second-factor", json={"challenge": waiting, "code": code})


async def test_guessed_passwords_do_not_lock_a_passkey(
    client: AsyncClient, world: World, passkey: Authenticator
) -> None:
    await guess_passwords(client, world)
    assert (await log_in(client)).status_code == 429

    asked = (await client.post("/v1/auth/passkeys/options", json={})).raise_for_status().json()
    shown = {"challenge": asked["challenge"], "credential": passkey.get(asked["options"])}
    answer = await client.post("/v1/auth/passkeys", json=shown)

    assert answer.status_code == 200, answer.text


async def test_guessed_passwords_do_not_keep_a_passkey_from_stepping_up(
    client: AsyncClient, world: World, ada: Person, passkey: Authenticator
) -> None:
    await guess_passwords(client, world)

    asked = (await client.post("/v1/auth/step-up/options", headers=ada.bearer)).raise_for_status().json()
    shown = {"challenge": asked["challenge"], "credential": passkey.get(asked["options"])}
    answer = await client.post("/v1/auth/step-up", json={"refresh_token": ada.refresh_token, "passkey": shown})

    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("kind", ["code", "recovery code"])
async def test_guessed_passwords_do_not_lock_what_completes_a_login(
    client: AsyncClient, world: World, app: App, kind: str
) -> None:
    waiting = await challenge(client)
    await guess_passwords(client, world)

    answer = await show(client, waiting, app.code() if kind == "code" else app.recovery_codes[0])

    assert answer.status_code == 200, answer.text


async def test_guessed_codes_lock_codes_and_neither_the_password_nor_recovery_codes(
    client: AsyncClient, world: World, app: App
) -> None:
    for _ in range(10):
        assert (await show(client, await challenge(client), "000000")).status_code == 401
        await forget_the_waits(world)
    assert (await show(client, await challenge(client), app.code())).status_code == 429

    answer = await show(client, await challenge(client), app.recovery_codes[0])

    assert answer.status_code == 200, answer.text


async def test_what_can_not_be_a_one_time_password_locks_nothing(client: AsyncClient, app: App) -> None:
    for _ in range(12):
        assert (await show(client, await challenge(client), NOT_A_CODE)).status_code == 401

    assert (await show(client, await challenge(client), app.code())).status_code == 200


async def test_a_wrong_code_beside_a_right_password_is_no_failure_of_the_password(
    client: AsyncClient, world: World, ada: Person, app: App
) -> None:
    shown = {"refresh_token": ada.refresh_token, "password": PASSWORD, "code": "000000"}

    for _ in range(9):
        assert (await client.post("/v1/auth/step-up", json=shown)).status_code == 401
        await forget_the_waits(world)

    assert (await log_in(client)).status_code == 202
    assert sorted(row[0] for row in await world.fetch("SELECT failures FROM auth.login_guard")) == [0, 9, 9]
    assert app.recovery_codes, "somebody with a second factor"


@pytest.fixture
async def strict(world: World) -> AsyncIterator[Running]:
    """Auth where three logins to one account may fail in an hour, and two mails of a kind go to one address."""
    async with world.running("auth", auth_account_logins_per_hour=3, auth_address_mails_per_hour=2) as running:
        yield running


async def test_logins_that_succeed_use_nothing_of_the_accounts_limit_up(strict: Running) -> None:
    client = await strict.anonymous()
    await a_person(client)

    answers = [await log_in(client) for _ in range(5)]
    guesses = await asyncio.gather(*(log_in(client, password="not the password") for _ in range(8)))

    assert [answer.status_code for answer in answers] == [200] * 5
    assert Counter(answer.status_code for answer in guesses) == {401: 3, 429: 5}


async def test_nobody_fills_a_mailbox_with_resets_and_the_newest_go_on_working(strict: Running, world: World) -> None:
    client = await strict.anonymous()
    await a_person(client)
    for _ in range(5):
        await client.post("/v1/auth/password-reset", json={"email": EMAIL})
        await world.settled("auth")
        await world.fetch("UPDATE auth.mailed_token SET created_at = created_at - interval '2 minutes'")

    first, _ = await mails(world, MailTemplate.RESET_PASSWORD, 2)

    wanted = {"token": ticket(first), "new_password": "nine purple llamas sing at dawn"}
    assert (await client.put("/v1/auth/password-reset", json=wanted)).status_code == 204


async def test_nobody_fills_a_mailbox_with_locks_and_each_mail_opens_the_last(world: World) -> None:
    async with world.running("auth", auth_account_failures=1, auth_address_mails_per_hour=2) as running:
        client = await running.anonymous()
        await a_person(client)
        for _ in range(4):
            await log_in(client, password="not the password")
            await world.fetch("UPDATE auth.login_guard SET last_failed_at = now() - interval '1 hour'")
            await world.fetch("UPDATE auth.\"user\" SET locked_until = now() + interval '1 second'")
        first, _ = await mails(world, MailTemplate.ACCOUNT_LOCKED, 2)

        assert (await client.post("/v1/auth/unlock", json={"token": ticket(first)})).status_code == 204


async def test_a_password_that_is_known_elsewhere_is_told_a_few_times(strict: Running, world: World) -> None:
    client = await strict.anonymous()
    await enrol(asking(client), (await a_person(client)).access_token)
    for _ in range(4):
        waiting = await challenge(client)
        for _ in range(3):
            assert (await show(client, waiting, NOT_A_CODE)).status_code == 401

    await mails(world, MailTemplate.SECOND_FACTOR_REFUSED, 2)


async def test_a_newcomer_asks_for_a_few_proofs(strict: Running, world: World) -> None:
    client = await strict.anonymous()
    newcomer = await a_newcomer(client)

    answers = [await client.post("/v1/me/email-verification", headers=newcomer.bearer) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [202, 429, 429]
    assert int(answers[1].headers["retry-after"]) > 60
    await mails(world, MailTemplate.VERIFY_EMAIL, 2)


async def test_an_address_is_invited_a_few_times_from_whatever_workspaces(strict: Running, world: World) -> None:
    client = await strict.anonymous()
    hosts = [await a_person(client, email=f"host{number}@example.com") for number in range(3)]

    answers = [await invite(client, host, EMAIL) for host in hosts]

    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert (await invite(client, hosts[2], "bob@example.com")).status_code == 201
    await mails(world, MailTemplate.INVITATION, 3)
