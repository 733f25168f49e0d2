"""OAuth's clients find their way and hear errors in their own words (RFC 6749, RFC 7009, RFC 8414)."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from httpx2 import AsyncClient, Response

from tests.auth.builders import a_person, refresh
from tests.auth.devices import CLIENT, error
from tests.world import World

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def _token(client: AsyncClient, **form: str) -> Response:
    return await client.post("/v1/auth/token", data=form)


async def test_the_metadata_tells_where_everything_is(world: World) -> None:
    async with world.running("auth", public_url="https://api.example.com") as running:
        answer = await (await running.anonymous()).get("/.well-known/oauth-authorization-server")

    told = answer.json()
    # RFC 8414, section 3.3: the issuer is where the metadata was fetched from.
    assert told["issuer"] == "https://api.example.com"
    assert told["jwks_uri"] == "https://api.example.com/.well-known/jwks.json"
    assert told["revocation_endpoint_auth_methods_supported"] == ["none"]
    assert "urn:ietf:params:oauth:grant-type:device_code" in told["grant_types_supported"]
    assert "orders:write" in told["scopes_supported"]


async def test_tokens_name_the_issuer_that_the_metadata_names(world: World) -> None:
    async with world.running("auth", public_url="https://api.example.com") as running:
        client = await running.anonymous()
        person = await a_person(client)
        told = (await client.get("/.well-known/oauth-authorization-server")).json()
        taken = await client.get("/v1/me", headers=person.bearer)

    payload = person.access_token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    # RFC 9068, section 4: the resource server compares `iss` with the issuer of the metadata.
    assert claims["iss"] == told["issuer"] == "https://api.example.com"
    assert taken.status_code == 200


async def test_every_place_that_the_metadata_tells_is_served(client: AsyncClient) -> None:
    told = (await client.get("/.well-known/oauth-authorization-server")).json()

    for name in ("device_authorization_endpoint", "token_endpoint", "revocation_endpoint"):
        answer = await client.post(told[name].removeprefix("http://127.0.0.1:8000"), content="", headers=FORM)
        assert error(answer) == "invalid_request", name


async def test_a_refresh_token_is_a_grant(client: AsyncClient) -> None:
    person = await a_person(client)

    first = await _token(client, grant_type="refresh_token", refresh_token=person.refresh_token)
    client.headers["user-agent"] = "somebody else's"
    again = await _token(client, grant_type="refresh_token", refresh_token=person.refresh_token)

    assert first.json()["refresh_token"] != person.refresh_token
    assert error(again) == "invalid_grant"


async def test_a_revoked_token_ends_its_session(client: AsyncClient) -> None:
    person = await a_person(client)

    answer = await client.post("/v1/auth/revoke", data={"token": person.refresh_token, "token_type_hint": "x"})

    assert answer.status_code == 200
    assert (await refresh(client, person.refresh_token)).status_code == 401


@pytest.mark.parametrize("token", ["nonsense", "0198dead-0000-7000-8000-00000000beef.x", "a.b"])
async def test_a_token_that_is_none_is_revoked_already(client: AsyncClient, token: str) -> None:
    assert (await client.post("/v1/auth/revoke", data={"token": token})).status_code == 200


async def test_an_access_token_is_not_said_to_be_revoked(client: AsyncClient) -> None:
    person = await a_person(client)

    answer = await client.post("/v1/auth/revoke", data={"token": person.access_token})

    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_token_type")


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"grant_type": "password", "username": "a", "password": "b"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": ""}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "x", "client_id": "mallory"}, "invalid_client"),
        ({"grant_type": "client_credentials"}, "invalid_request"),
        ({"grant_type": "client_credentials", "client_id": "fsk_Ab12Cd34"}, "invalid_request"),
        ({"grant_type": "client_credentials", "client_secret": "x"}, "invalid_request"),
        ({"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": "x"}, "invalid_client"),
        ({"refresh_token": "x"}, "invalid_request"),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": "x"}, "invalid_request"),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "client_id": CLIENT}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "x" * 201}, "invalid_request"),
    ],
)
async def test_a_client_hears_why_it_gets_no_tokens(client: AsyncClient, form: dict[str, str], expected: str) -> None:
    answer = await _token(client, **form)

    assert error(answer) == expected
    assert "x" * 201 not in answer.text


async def test_an_unknown_client_can_not_let_anybody_wait(client: AsyncClient) -> None:
    assert error(await client.post("/v1/auth/device", data={"client_id": "mallory"})) == "invalid_client"


async def test_an_unknown_client_revokes_nothing(client: AsyncClient) -> None:
    person = await a_person(client)
    form = {"token": person.refresh_token, "client_id": "mallory"}

    assert error(await client.post("/v1/auth/revoke", data=form)) == "invalid_client"
    assert (await refresh(client, person.refresh_token)).status_code == 200


async def test_parameters_that_nobody_knows_are_ignored_in_a_form_and_refused_in_json(client: AsyncClient) -> None:
    extra: dict[str, Any] = {"client_id": CLIENT, "audience": "x"}

    assert (await client.post("/v1/auth/device", data=extra)).status_code == 200
    assert (await client.post("/v1/auth/device", json=extra)).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        b"grant_type=refresh_token&refresh_token=a&refresh_token=b",
        b"\xff\xfe",
        b"grant_type",
        b"&".join(b"x%d=y" % number for number in range(200)),
        b"grant_type=refresh_token&refresh_token=%FF%00",
    ],
)
async def test_a_form_that_is_none_is_refused_in_oauths_words(client: AsyncClient, body: bytes) -> None:
    assert error(await client.post("/v1/auth/token", content=body, headers=FORM)) == "invalid_request"


async def test_an_oversized_form_is_too_large(client: AsyncClient) -> None:
    body = b"grant_type=refresh_token&refresh_token=" + b"x" * 10_000_000

    assert (await client.post("/v1/auth/token", content=body, headers=FORM)).status_code == 413


async def test_a_form_is_no_way_past_the_limits(world: World) -> None:
    async with world.running("auth", auth_refreshes_per_minute=3) as running:
        client = await running.anonymous()
        answers = [await _token(client, grant_type="refresh_token", refresh_token="x") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [400, 400, 400, 429]
