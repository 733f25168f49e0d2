"""What people who are careless and callers who are hostile meet."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from uuid import UUID

import pytest
from httpx2 import AsyncClient

from libs.kit.crypto.key_encryption import KeyRefused
from libs.kit.crypto.keyset_file import create_keyset
from libs.kit.ids import uuid7
from libs.schema.auth import UserRegistered
from services.auth.commands.signing_keys import rewrap_signing_keys
from tests.auth.builders import (
    EMAIL,
    PASSWORD,
    a_person,
    again,
    bearer,
    issuing,
    log_in,
    refresh,
    refresh_elsewhere,
    register,
    verifier,
)
from tests.world import Running, World


async def test_of_twenty_registrations_of_one_address_at_once_one_wins(client: AsyncClient, world: World) -> None:
    answers = await asyncio.gather(*(register(client, first_name=f"number {n}") for n in range(20)))

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 19}
    await world.settled("auth")
    await world.expect(UserRegistered, 1)
    for table in ('"user"', "workspace", "membership"):
        assert (await world.fetch(f"SELECT count(*) FROM auth.{table}"))[0][0] == 1


async def test_an_address_is_the_same_in_any_case(client: AsyncClient) -> None:
    await register(client, email="Ada@example.com")

    assert (await register(client, email=" aDA@EXAMPLE.com ")).status_code == 409
    assert (await log_in(client, email="ADA@example.com")).status_code == 200


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"email": "ada"}, "/email"),
        ({"email": "Ada <ada@example.com>"}, "/email"),
        ({"email": "ada@localhost"}, "/email"),
        ({"email": "a" * 300 + "@example.com"}, "/email"),
        ({"email": "a\0da@example.com"}, "/email"),
        ({"email": "\ud800@example.com"}, "/email"),
        ({"email": 7}, "/email"),
        ({"password": "x" * 11}, "/password"),
        ({"password": "x" * 129}, "/password"),
        ({"password": "\ud800" * 12}, "/password"),
        ({"password": None}, "/password"),
        ({"first_name": ""}, "/first_name"),
        ({"first_name": "A\0da"}, "/first_name"),
        ({"last_name": "x" * 151}, "/last_name"),
        ({"workspace_name": "a\nb"}, "/workspace_name"),
        ({"workspace_name": "\rP"}, "/workspace_name"),
        ({"last_name": "   "}, "/last_name"),
        ({"platform_role": "ADMIN"}, "/platform_role"),
    ],
)
async def test_a_bad_field_is_named_and_nobody_is_registered(
    client: AsyncClient, world: World, changes: dict[str, object], pointer: str
) -> None:
    answer = await register(client, **changes)

    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert "x" * 11 not in answer.text
    assert (await world.fetch('SELECT count(*) FROM auth."user"'))[0][0] == 0


async def test_a_stranger_and_a_wrong_password_get_the_same_answer(client: AsyncClient, world: World) -> None:
    await a_person(client)
    await a_person(client, email="gone@example.com")
    await world.fetch("UPDATE auth.\"user\" SET is_active = false WHERE email = 'gone@example.com'")

    stranger = await log_in(client, email="nobody@example.com")
    wrong = await log_in(client, password=PASSWORD + "!")
    inactive = await log_in(client, email="gone@example.com")

    assert {answer.status_code for answer in (stranger, wrong, inactive)} == {401}
    assert stranger.json() == wrong.json() == inactive.json()


async def test_a_refresh_token_that_comes_again_ends_the_whole_session(client: AsyncClient) -> None:
    person = await a_person(client)
    elsewhere = await again(client, person.user_id)
    newest = (await refresh(client, person.refresh_token)).json()["refresh_token"]

    stolen = await refresh_elsewhere(client, person.refresh_token)

    assert stolen.status_code == 401
    assert (await refresh(client, newest)).status_code == 401
    assert (await refresh(client, elsewhere.refresh_token)).status_code == 200


async def test_of_twenty_clients_with_one_refresh_token_at_once_one_succeeds_and_it_leads_nowhere(
    client: AsyncClient,
) -> None:
    person = await a_person(client)

    answers = await asyncio.gather(
        *(
            client.post(
                "/v1/auth/refresh", json={"refresh_token": person.refresh_token}, headers={"user-agent": str(number)}
            )
            for number in range(20)
        )
    )

    assert Counter(answer.status_code for answer in answers) == {200: 1, 401: 19}
    (won,) = [answer for answer in answers if answer.status_code == 200]
    assert (await refresh(client, won.json()["refresh_token"])).status_code == 401


async def test_a_stolen_token_can_not_outrun_its_revocation(client: AsyncClient, world: World) -> None:
    person = await a_person(client)
    newest = (await refresh(client, person.refresh_token)).json()["refresh_token"]

    await asyncio.gather(refresh(client, newest), refresh_elsewhere(client, person.refresh_token))

    alive = """SELECT count(*) FROM auth.refresh_token t JOIN auth.session s ON s.id = t.session_id
               WHERE s.ended_at IS NULL AND t.used_at IS NULL"""
    assert (await world.fetch(alive))[0][0] == 0


async def test_a_refresh_token_opens_no_other_workspace(client: AsyncClient) -> None:
    ada, bob = await a_person(client), await a_person(client, email="bob@example.com")
    secret = ada.refresh_token.partition(".")[2]

    assert (await refresh(client, f"{bob.workspace_id}.{secret}")).status_code == 401
    assert (await refresh(client, ada.refresh_token)).status_code == 200


@pytest.mark.parametrize("token", ["", ".", "nonsense", "a.b", f"{UUID(int=7)}.", f"{UUID(int=7)}.secret"])
async def test_a_refresh_token_that_is_none_is_refused(client: AsyncClient, token: str) -> None:
    assert (await refresh(client, token)).status_code == 401


async def test_an_expired_refresh_token_is_refused(client: AsyncClient, world: World) -> None:
    person = await a_person(client)
    await world.fetch("UPDATE auth.refresh_token SET expires_at = now() - interval '1 second'")

    assert (await refresh(client, person.refresh_token)).status_code == 401


async def test_a_deactivated_user_gets_no_new_tokens(client: AsyncClient, world: World) -> None:
    person = await a_person(client)
    await world.fetch('UPDATE auth."user" SET is_active = false')

    assert (await refresh(client, person.refresh_token)).status_code == 401


async def test_a_retired_key_is_forgotten_after_the_overlap(client: AsyncClient, auth: Running, world: World) -> None:
    person = await a_person(client)
    await world.fetch(
        "UPDATE auth.signing_key SET active_from = now() - interval '3 hours', retired_at = now() - interval '61 minutes'"
    )

    successor = await again(client, person.user_id)

    assert (await client.get("/v1/me", headers=successor.bearer)).status_code == 200
    others = verifier(client)
    assert str((await others.verify(successor.access_token)).user_id) == person.user_id
    assert len((await client.get("/.well-known/jwks.json")).json()["keys"]) == 1


async def test_replicas_that_start_at_once_make_one_key(world: World) -> None:
    async with world.running("auth"), world.running("auth"):
        await world.fetch("DELETE FROM auth.signing_key")

    async def start() -> str:
        async with world.running("auth") as running:
            keys = (await (await running.anonymous()).get("/.well-known/jwks.json")).json()["keys"]
            return ",".join(key["kid"] for key in keys)

    assert len(set(await asyncio.gather(*(start() for _ in range(4))))) == 1
    assert (await world.fetch("SELECT count(*) FROM auth.signing_key"))[0][0] == 1


async def test_another_keyset_does_not_open_the_key_and_says_so_at_the_start(
    auth: Running, world: World, tmp_path: Path
) -> None:
    create_keyset(tmp_path / "another.json")
    with pytest.raises(KeyRefused, match=r"another\.json has no key"):
        async with world.running("auth", encryption_key_url=(tmp_path / "another.json").as_uri()):
            pass


async def test_signing_goes_on_while_its_key_is_wrapped_anew(auth: Running, client: AsyncClient, world: World) -> None:
    person = await a_person(client)
    before = await world.fetch("SELECT wrapped_by FROM auth.signing_key")
    await issuing(world).vault.guard.renew()
    async with auth.db.work() as tx:
        await rewrap_signing_keys(tx, issuing(world))
    async with world.running("auth") as replica:
        for one in (client, await replica.anonymous()):
            newer = (await log_in(one)).json()["access_token"]
            assert (await client.get("/v1/me", headers=bearer(newer))).json()["user_id"] == person.user_id
    assert await world.fetch("SELECT wrapped_by FROM auth.signing_key") != before


async def test_a_workspace_sees_its_own_members_alone(auth: Running, client: AsyncClient) -> None:
    ada, bob = await a_person(client), await a_person(client, email="bob@example.com")

    async with auth.db.transaction(uuid7()) as tx:
        nobody = [await tx.fetch(f"SELECT * FROM {t}") for t in ("workspace", "membership", "refresh_token")]
    me = await client.get("/v1/me", headers=bob.bearer)

    assert nobody == [[], [], []]
    assert me.json()["workspace"]["id"] == bob.workspace_id != ada.workspace_id


async def test_malformed_requests_are_refused_with_a_problem(client: AsyncClient) -> None:
    headers = {"content-type": "application/json"}
    bodies = {b"{": 400, b"[]": 422, b"null": 422, b"[" * 100 + b"]" * 100: 400, b'"' + b"x" * 3_000_000 + b'"': 413}
    for body, status in bodies.items():
        answer = await client.post("/v1/auth/login", content=body, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_the_address_of_a_user_is_kept_as_they_wrote_it(client: AsyncClient, world: World) -> None:
    await register(client, email="ADA@example.com")

    (row,) = await world.fetch('SELECT email, email_key, password_hash FROM auth."user"')
    assert (row["email"], row["email_key"]) == ("ADA@example.com", EMAIL)
    assert row["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
