"""A person registers, logs in, goes on with refresh tokens and logs out; others can check who they are."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
import uvicorn
from httpx2 import AsyncClient
from joserfc import jwt
from joserfc.jwk import KeySet

from libs.schema.auth import UserRegistered
from services.auth.commands.signing_keys import rotate_signing_key
from services.auth.commands.staff import grant_role
from services.auth.model import SCOPES_OF_ROLE, PlatformRole, Role
from tests.auth.builders import PASSWORD, a_person, again, issuing, kid_of, refresh, register, verifier
from tests.issuer import ISSUER
from tests.second_factor import asking, log_in_as_staff
from tests.world import Running, World, eventually


async def test_registering_makes_a_user_and_a_workspace_and_tells_of_it_once(client: AsyncClient, world: World) -> None:
    answer = await register(client, email="Ada@EXAMPLE.com", first_name="Ada", workspace_name="Analytical Engines")

    assert answer.status_code == 201, answer.text
    made = answer.json()
    (told,) = await world.expect(UserRegistered, 1)
    assert (told.subject, told.tenant_id, told.sequence) == (UUID(made["workspace_id"]), told.event.workspace_id, 1)
    assert told.event == UserRegistered(
        occurred_at=told.event.occurred_at,
        user_id=UUID(made["user_id"]),
        workspace_id=UUID(made["workspace_id"]),
        email="Ada@example.com",
        first_name="Ada",
    )


async def test_a_person_who_logged_in_sees_who_they_are(client: AsyncClient) -> None:
    person = await a_person(client, first_name=" Ada ", last_name="Lovelace")

    answer = await client.get("/v1/me", headers=person.bearer)

    assert answer.status_code == 200, answer.text
    shown = answer.json()
    for moment in ("created_at", "updated_at", "last_login_at"):
        assert datetime.fromisoformat(shown.pop(moment)).utcoffset() == timedelta(0)
    assert shown == {
        "user_id": person.user_id, "email": "ada@example.com", "email_verified": True, "username": None,
        "first_name": "Ada", "last_name": "Lovelace", "avatar_url": None, "phone_number": None, "time_zone": "UTC",
        "language": "en", "preferences": {}, "platform_role": "USER", "is_active": True, "password_changed_at": None,
        "workspace": {"id": person.workspace_id, "name": "Personal", "role": "OWNER"}, "tier": None,
        "scopes": sorted(SCOPES_OF_ROLE[Role.OWNER]), "second_factor_required": False,
    }  # fmt: skip


async def test_an_access_token_says_what_others_need_and_lives_for_ten_minutes(client: AsyncClient) -> None:
    person = await a_person(client)
    keys = (await client.get("/.well-known/jwks.json")).json()

    token = jwt.decode(person.access_token, KeySet.import_key_set(keys), algorithms=["Ed25519"])

    assert token.header == {"alg": "Ed25519", "typ": "at+jwt", "kid": keys["keys"][0]["kid"]}
    claims = token.claims
    assert (claims["iss"], claims["aud"]) == (ISSUER, "fillstream")
    assert (claims["sub"], claims["tid"]) == (person.user_id, person.workspace_id)
    assert claims["exp"] == pytest.approx(claims["iat"] + 600)
    assert UUID(claims["jti"]).version == 7
    assert claims["sid"] == person.session_id
    assert claims["iat"] - claims["auth_time"] < 1
    assert set(claims["scope"].split()) == SCOPES_OF_ROLE[Role.OWNER]


async def test_the_public_keys_tell_nothing_private(client: AsyncClient) -> None:
    (key,) = (await client.get("/.well-known/jwks.json")).json()["keys"]

    assert {name: key[name] for name in ("kty", "crv", "use", "alg")} == {
        "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "Ed25519",
    }  # fmt: skip
    assert set(key) == {"kty", "crv", "use", "alg", "kid", "x"}


async def test_another_service_accepts_the_token_by_the_public_keys_alone(
    auth: Running, client: AsyncClient, world: World
) -> None:
    person = await a_person(client)
    server = uvicorn.Server(
        uvicorn.Config(auth.service.http, host="127.0.0.1", port=0, log_config=None, lifespan="off")
    )
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: _check(server))
    port = server.servers[0].sockets[0].getsockname()[1]

    async with world.running("marketdata", jwks_url=f"http://127.0.0.1:{port}/.well-known/jwks.json") as marketdata:
        stranger = await marketdata.anonymous()
        listed = await stranger.get("/v1/instruments", headers=person.bearer)
        written = await stranger.post(
            "/v1/instruments", json={"symbol": "A", "name": "A", "currency": "USD"}, headers=person.bearer
        )
    server.should_exit = True
    await serving

    assert listed.status_code == 200, listed.text
    assert written.status_code == 403, "market data belongs to every workspace"


async def test_a_refresh_token_is_exchanged_for_the_next(client: AsyncClient) -> None:
    person = await a_person(client)

    second = (await refresh(client, person.refresh_token)).json()
    third = await refresh(client, second["refresh_token"])

    assert third.status_code == 200, third.text
    assert len({person.refresh_token, second["refresh_token"], third.json()["refresh_token"]}) == 3
    me = await client.get("/v1/me", headers={"Authorization": f"Bearer {third.json()['access_token']}"})
    assert me.json()["user_id"] == person.user_id


async def test_logging_out_ends_the_session_and_no_other(client: AsyncClient) -> None:
    person = await a_person(client)
    elsewhere = await again(client, person.user_id)
    newest = (await refresh(client, person.refresh_token)).json()["refresh_token"]

    answer = await client.post("/v1/auth/logout", json={"refresh_token": newest})

    assert answer.status_code == 204
    assert (await refresh(client, newest)).status_code == 401
    assert (await refresh(client, elsewhere.refresh_token)).status_code == 200


async def test_an_admin_may_write_market_data_from_the_next_login_on(auth: Running, client: AsyncClient) -> None:
    person = await a_person(client)
    async with auth.db.work() as tx:
        await grant_role(tx, "ADA@example.com", PlatformRole.ADMIN)

    before = await verifier(client).verify(person.access_token)
    tokens = await log_in_as_staff(asking(client), "ada@example.com", PASSWORD)
    after = await verifier(client).verify(tokens["access_token"])

    assert after.scopes - before.scopes == SCOPES_OF_ROLE[PlatformRole.ADMIN] >= {"marketdata:write", "kyc:decide"}


async def test_a_new_key_is_public_before_it_signs(auth: Running, client: AsyncClient, world: World) -> None:
    person = await a_person(client)
    (first,) = (await client.get("/.well-known/jwks.json")).json()["keys"]
    async with auth.db.work() as tx:
        successor = await rotate_signing_key(tx, issuing(world))

    waiting = await again(client, person.user_id)
    await world.fetch("UPDATE auth.signing_key SET active_from = active_from - interval '1 hour'")
    signing = await again(client, person.user_id)

    keys = (await client.get("/.well-known/jwks.json")).json()["keys"]
    assert [key["kid"] for key in keys] == [first["kid"], successor.kid]
    assert [kid_of(p.access_token) for p in (person, waiting, signing)] == [first["kid"]] * 2 + [successor.kid]
    others = verifier(client)
    for held in (person, waiting, signing):
        assert str((await others.verify(held.access_token)).user_id) == person.user_id


async def test_a_service_that_cached_the_keys_before_a_rotation_accepts_the_next_one(
    auth: Running, client: AsyncClient, world: World
) -> None:
    person = await a_person(client)
    cached = verifier(client)
    await cached.verify(person.access_token)
    async with auth.db.work() as tx:
        await rotate_signing_key(tx, issuing(world))
    await world.fetch("UPDATE auth.signing_key SET active_from = active_from - interval '1 hour'")
    newer = await again(client, person.user_id)

    ten_seconds_later = replace(cached, _fetched_at=time.monotonic() - 10)

    assert kid_of(newer.access_token) != kid_of(person.access_token)
    assert str((await ten_seconds_later.verify(newer.access_token)).user_id) == person.user_id


async def _check(server: uvicorn.Server) -> None:
    assert server.started
