"""Tokens that attackers make: none of them gets anybody in."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from httpx2 import AsyncClient
from joserfc.jwk import OKPKey

from libs.kit.ids import uuid7
from tests.auth.builders import Forger, a_person, bearer, private_key
from tests.issuer import Issuer
from tests.world import World


@pytest.fixture
async def forger(client: AsyncClient, world: World) -> Forger:
    return Forger(await a_person(client), await private_key(world))


async def test_a_token_like_auths_own_opens_the_door(client: AsyncClient, forger: Forger) -> None:
    # The baseline: what the others change is what they are refused for.
    assert (await client.get("/v1/me", headers=bearer(forger.token()))).status_code == 200


ATTACKS: dict[str, Callable[[Forger], str]] = {
    "no algorithm": lambda f: f.unsigned(),
    "HMAC with the public key as PEM": lambda f: f.hmac_with(f.key.as_pem(private=False)),
    "HMAC with the raw public key": lambda f: f.hmac_with(f.key.as_bytes("DER", private=False)),
    "HMAC with the public JWK": lambda f: f.hmac_with(json.dumps(f.key.as_dict(private=False)).encode()),
    "another key under the same id": lambda f: Forger(f.person, _stranger(f.key.kid)).token(),
    "an unknown key": lambda f: Forger(f.person, _stranger(None)).token(),
    "another audience": lambda f: f.token(aud="somewhere-else"),
    "no audience": lambda f: f.token(aud=""),
    "another issuer": lambda f: f.token(iss="somebody-else"),
    "another type": lambda f: f.token(header={"typ": "JWT"}),
    "expired": lambda f: f.token(exp=int(time.time()) - 60),
    "an expiry that is no time": lambda f: f.token(exp="never"),
    "no subject": lambda f: f.token(sub=""),
    "a subject that is no id": lambda f: f.token(sub="1 OR 1=1"),
    "a workspace that is no id": lambda f: f.token(tid="*"),
    "scopes of another shape": lambda f: f.token(scope=["orders:read"]),
    "a refresh token": lambda f: f.person.refresh_token,
    "a truncated token": lambda f: f.person.access_token[:-10],
    "other claims under a true signature": lambda f: _with_claims_of(f.token(scope="marketdata:write"), f.token()),
    "nothing": lambda _: "x",
    "very long": lambda _: "x" * 20_000,
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_forged_token_is_refused(client: AsyncClient, forger: Forger, attack: str) -> None:
    answer = await client.get("/v1/me", headers=bearer(ATTACKS[attack](forger)))

    assert answer.status_code == 401, f"{attack}: {answer.text}"
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_token_of_another_installation_is_refused(client: AsyncClient, issuer: Issuer) -> None:
    assert (await client.get("/v1/me", headers=bearer(issuer.token(uuid7())))).status_code == 401


async def test_without_a_token_nobody_is_told_anything(client: AsyncClient) -> None:
    assert (await client.get("/v1/me")).status_code == 401


async def test_a_true_token_shows_nothing_of_a_workspace_that_its_user_is_no_member_of(
    client: AsyncClient, forger: Forger
) -> None:
    other = await a_person(client, email="bob@example.com")

    answer = await client.get("/v1/me", headers=bearer(forger.token(tid=other.workspace_id)))

    assert answer.status_code == 404


def _stranger(kid: str | None) -> OKPKey:
    return OKPKey.generate_key("Ed25519", None if kid is None else {"kid": kid}, auto_kid=kid is None)


def _with_claims_of(wanted: str, signed: str) -> str:
    head, _, signature = signed.split(".")
    return f"{head}.{wanted.split('.')[1]}.{signature}"
