"""Mails that open doors: each secret works once, for its purpose, for a while, and nobody learns who is known."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from httpx2 import AsyncClient, Response

from libs.schema.auth import EmailVerified, MailRequested, MailTemplate, PasswordChange, PasswordChanged
from tests.auth.builders import (
    PASSWORD,
    a_newcomer,
    a_person,
    again,
    log_in,
    mails,
    refresh,
    register,
    stop_the_clock,
    ticket,
)
from tests.world import Running, World, eventually

NEW = "nine purple llamas sing at dawn"


async def forget(client: AsyncClient, email: str = "ada@example.com") -> Response:
    return await client.post("/v1/auth/password-reset", json={"email": email})


async def reset(client: AsyncClient, token: str, password: str = NEW) -> Response:
    return await client.put("/v1/auth/password-reset", json={"token": token, "new_password": password})


async def verify(client: AsyncClient, token: str) -> Response:
    return await client.post("/v1/auth/email-verification", json={"token": token, "password": PASSWORD})


async def change(client: AsyncClient, headers: dict[str, str], current: str, new: str) -> Response:
    body = {"current_password": current, "new_password": new}
    return await client.put("/v1/me/password", json=body, headers=headers)


async def test_registering_sends_a_mail_that_proves_the_address_once(client: AsyncClient, world: World) -> None:
    newcomer = await a_newcomer(client)
    (mail,) = await mails(world, MailTemplate.VERIFY_EMAIL)

    answers = await asyncio.gather(*(verify(client, ticket(mail)) for _ in range(10)))

    assert Counter(answer.status_code for answer in answers) == {204: 1, 422: 9}
    person = await again(client, newcomer.user_id)
    assert (await client.get("/v1/me", headers=person.bearer)).json()["email_verified"] is True
    await world.expect(EmailVerified, 1)


async def test_of_mails_that_were_asked_for_again_the_first_that_is_used_counts(
    client: AsyncClient, world: World
) -> None:
    newcomer = await a_newcomer(client)
    assert (await client.post("/v1/me/email-verification", headers=newcomer.bearer)).status_code == 202
    first, second = await mails(world, MailTemplate.VERIFY_EMAIL, 2)

    assert (await verify(client, ticket(first))).status_code == 204
    assert (await verify(client, ticket(second))).status_code == 422
    person = await again(client, newcomer.user_id)
    assert (await client.post("/v1/me/email-verification", headers=person.bearer)).status_code == 202
    assert len(await mails(world, MailTemplate.VERIFY_EMAIL, 2)) == 2, "there is nothing left to prove"


async def test_a_reset_chooses_another_password_and_ends_every_session(client: AsyncClient, world: World) -> None:
    person = await a_person(client)
    await forget(client)
    (mail,) = await mails(world, MailTemplate.RESET_PASSWORD)

    assert (await reset(client, ticket(mail))).status_code == 204

    assert (await log_in(client)).status_code == 401
    assert (await log_in(client, password=NEW)).status_code == 200
    assert (await refresh(client, person.refresh_token)).status_code == 401
    (told,) = await world.expect(PasswordChanged, 1)
    assert told.event.change is PasswordChange.RESET
    await mails(world, MailTemplate.PASSWORD_CHANGED)


async def test_a_reset_that_is_asked_for_again_at_once_leaves_the_first_mail_working(
    client: AsyncClient, world: World
) -> None:
    await a_person(client)
    for _ in range(5):
        await forget(client)
    (mail,) = await mails(world, MailTemplate.RESET_PASSWORD)

    assert (await reset(client, ticket(mail))).status_code == 204


async def test_a_second_reset_mail_leaves_the_first_valid_and_whichever_is_used_voids_the_other(
    client: AsyncClient, world: World
) -> None:
    await a_person(client)
    await forget(client)
    await mails(world, MailTemplate.RESET_PASSWORD)
    await world.fetch("UPDATE auth.mailed_token SET created_at = created_at - interval '2 minutes'")
    await forget(client)
    first, second = await mails(world, MailTemplate.RESET_PASSWORD, 2)

    answers = [await reset(client, ticket(mail)) for mail in (first, second)]

    assert [answer.status_code for answer in answers] == [204, 422]


async def test_of_twenty_resets_with_one_token_at_once_one_wins(client: AsyncClient, world: World) -> None:
    await a_person(client)
    await forget(client)
    (mail,) = await mails(world, MailTemplate.RESET_PASSWORD)

    answers = await asyncio.gather(*(reset(client, ticket(mail), f"{NEW} {n}") for n in range(20)))

    assert Counter(answer.status_code for answer in answers) == {204: 1, 422: 19}
    (winner,) = [n for n, answer in enumerate(answers) if answer.status_code == 204]
    assert (await log_in(client, password=f"{NEW} {winner}")).status_code == 200


async def test_an_unknown_address_gets_the_same_answer_and_no_mail(client: AsyncClient, world: World) -> None:
    await a_person(client)

    known, unknown = await forget(client), await forget(client, "nobody@example.com")

    assert (known.status_code, known.content) == (unknown.status_code, unknown.content) == (202, b"")
    await mails(world, MailTemplate.RESET_PASSWORD, 1)
    assert {told.event.address for told in world.published(MailRequested)} == {"ada@example.com"}


async def test_an_expired_token_works_for_nothing(client: AsyncClient, world: World) -> None:
    await a_person(client)
    await forget(client)
    (proof,) = await mails(world, MailTemplate.VERIFY_EMAIL)
    (mail,) = await mails(world, MailTemplate.RESET_PASSWORD)
    await world.fetch("UPDATE auth.mailed_token SET expires_at = now() - interval '1 second'")

    assert (await verify(client, ticket(proof))).status_code == 422
    assert (await reset(client, ticket(mail))).status_code == 422
    assert (await log_in(client)).status_code == 200


async def test_a_token_works_for_its_own_purpose_alone(client: AsyncClient, world: World) -> None:
    await a_person(client)
    (proof,) = await mails(world, MailTemplate.VERIFY_EMAIL)

    assert (await reset(client, ticket(proof))).status_code == 422
    assert (await client.post("/v1/auth/unlock", json={"token": ticket(proof)})).status_code == 422
    assert (await verify(client, ticket(proof))).status_code == 204


async def test_a_token_of_one_person_opens_nothing_of_another(client: AsyncClient, world: World) -> None:
    await a_person(client)
    bob = await a_person(client, email="bob@example.com")
    first, _ = await mails(world, MailTemplate.VERIFY_EMAIL, 2)

    secret = ticket(first).partition(".")[2]

    assert (await verify(client, f"{bob.workspace_id}.{secret}")).status_code == 422


async def test_changing_the_password_ends_all_other_sessions(client: AsyncClient, world: World) -> None:
    here = await a_person(client)
    there = await again(client, here.user_id)

    answer = await change(client, here.bearer, PASSWORD, NEW)

    assert answer.status_code == 204, answer.text
    assert (await refresh(client, here.refresh_token)).status_code == 200
    assert (await refresh(client, there.refresh_token)).status_code == 401
    assert (await log_in(client, password=NEW)).status_code == 200

    async def refused() -> None:
        assert (await client.get("/v1/me", headers=there.bearer)).status_code == 401

    await eventually(refused)
    await mails(world, MailTemplate.PASSWORD_CHANGED)


async def test_a_wrong_current_password_changes_nothing_and_can_not_be_guessed_at(
    auth: Running, client: AsyncClient
) -> None:
    person = await a_person(client)
    stop_the_clock(auth)

    answers = [await change(client, person.bearer, "not the password", NEW) for _ in range(6)]

    assert [answer.status_code for answer in answers] == [422] * 4 + [429] * 2


async def test_a_change_that_a_busy_server_could_not_check_counts_no_failure(world: World) -> None:
    async with world.running("auth", auth_hashing_processes=1, auth_hashing_queue=1) as auth:
        client = await auth.anonymous()
        person = await a_person(client)

        answers = await asyncio.gather(*(change(client, person.bearer, PASSWORD, f"{NEW} {n}") for n in range(4)))

        assert 503 in {answer.status_code for answer in answers}
        assert (await world.fetch("SELECT max(failures) FROM auth.login_guard"))[0][0] == 0


async def test_of_two_changes_at_once_one_wins(client: AsyncClient) -> None:
    person = await a_person(client)

    answers = await asyncio.gather(*(change(client, person.bearer, PASSWORD, f"{NEW} {n}") for n in range(3)))

    assert Counter(answer.status_code for answer in answers) == {204: 1, 409: 2}


@pytest.mark.parametrize("weak", ["password1234", "aaaaaaaaaaaa", "ada.lovelace.ada", "fillstream2026"])
async def test_a_password_that_can_be_guessed_is_refused_with_advice(client: AsyncClient, weak: str) -> None:
    answer = await register(client, email="ada.lovelace@example.com", password=weak)

    assert answer.status_code == 422
    problem = answer.json()
    assert problem["type"] == "urn:fillstream:problem:weak-password"
    assert [error["pointer"] for error in problem["errors"]] == ["/password"]
    assert weak not in answer.text
