"""Whose token is taken? One that auth signed, for us, for now, with the scope; any other is told nothing more."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from httpx2 import AsyncClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from libs.kit.acts import Actor, Origin
from libs.kit.db import utc_now
from libs.kit.errors import Forbidden, Unauthenticated
from libs.kit.ids import uuid7
from libs.kit.security import STEP_UP_AGE, Caller, StepUpRequired, TokenVerifier, fresh, requires_fresh
from libs.schema.audit import ActorKind
from tests.kit.api import Api
from tests.kit.test_http_problems import problem
from tests.kit.tokens import TENANT, Auth, a_key, part


@pytest.fixture
def auth() -> Auth:
    return Auth()


@pytest.fixture
def verifier(auth: Auth) -> TokenVerifier:
    return TokenVerifier(auth, "fillstream", "fillstream")


async def test_a_good_token_names_its_caller(auth: Auth, verifier: TokenVerifier) -> None:
    user = uuid7()
    caller = await verifier.verify(auth.token(sub=str(user), scope="orders:read orders:write"))

    assert (caller.user_id, caller.tenant_id) == (user, TENANT)
    assert caller.scopes == {"orders:read", "orders:write"}


async def test_an_audience_among_several_will_do(auth: Auth, verifier: TokenVerifier) -> None:
    assert await verifier.verify(auth.token(aud=["other", "fillstream"]))


NOW = int(time.time())
BAD_CLAIMS: list[dict[str, object]] = [
    {"iss": "somebody"},
    {"iss": None},
    {"aud": "somebody"},
    {"aud": ["a", "b"]},
    {"aud": None},
    {"exp": NOW - 60},
    {"exp": None},
    {"exp": "tomorrow"},
    {"exp": [NOW + 600]},
    {"nbf": NOW + 3600},
    {"iat": NOW + 3600},
    {"sub": None},
    {"sub": "bob"},
    {"sub": 7},
    {"tid": None},
    {"tid": "../1"},
    {"tid": ["x"]},
    {"jti": None},
    {"scope": None},
    {"scope": ["orders:read"]},
    {"scope": 7},
    {"amr": "pwd"},
    {"amr": [7]},
    {"client_id": "a program"},
    {"networks": "192.0.2.0/24"},
    {"networks": ["anywhere"]},
    {"networks": ["192.0.2.7/24"]},
    {"networks": [7]},
    {"networks": {}},
    {"networks": True},
    {"on_behalf_of": "an owner"},
    {"exp": NOW + 2 * 86_400},
]


@pytest.mark.parametrize("claims", BAD_CLAIMS)
async def test_a_token_with_a_wrong_or_missing_claim_is_refused(
    auth: Auth, verifier: TokenVerifier, claims: dict[str, object]
) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.verify(auth.token(**claims))  # type: ignore[arg-type]


BAD_HEADERS: list[dict[str, object]] = [
    {"typ": "JWT"},
    {"typ": None},
    {"typ": ["at+jwt"]},
    {"alg": "none"},
    {"alg": "HS256"},
    {"alg": "ES256"},
    {"alg": None},
    {"alg": 7},
    {"kid": "nobody"},
    {"kid": "../../../../dev/null"},
    {"kid": "' OR 1=1 --"},
    {"kid": 7},
    {"kid": ["x"]},
    {"crit": ["exp"]},
    {"b64": False, "crit": ["b64"]},
]


@pytest.mark.parametrize("header", BAD_HEADERS)
async def test_a_token_with_a_wrong_header_is_refused(
    auth: Auth, verifier: TokenVerifier, header: dict[str, object]
) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.verify(auth.token(header))


async def test_an_unsigned_token_is_refused(auth: Auth, verifier: TokenVerifier) -> None:
    header, payload, _ = auth.token({"alg": "none"}).split(".")
    for signature in ("", "x", "AA"):
        with pytest.raises(Unauthenticated):
            await verifier.verify(f"{header}.{payload}.{signature}")


@pytest.mark.parametrize("secret", ["x", "raw", "pem"])
async def test_a_public_key_is_no_secret_to_sign_with(auth: Auth, verifier: TokenVerifier, secret: str) -> None:
    key = auth.keys[0]
    material = {
        "x": str(key.as_dict(private=False)["x"]).encode(),
        "raw": key.public_key.public_bytes_raw(),
        "pem": key.as_pem(private=False),
    }[secret]
    header, payload, _ = auth.token({"alg": "HS256"}).split(".")
    mac = hmac.new(material, f"{header}.{payload}".encode(), hashlib.sha256).digest()
    with pytest.raises(Unauthenticated):
        await verifier.verify(f"{header}.{payload}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}")


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c"])
async def test_a_key_that_the_token_brings_along_is_ignored(auth: Auth, verifier: TokenVerifier, name: str) -> None:
    stranger = a_key()
    brought = stranger.as_dict(private=False)
    header: dict[str, object] = {name: brought if name == "jwk" else "https://evil.example/jwks.json"}
    for kid in (auth.keys[0].kid, stranger.kid, None):
        with pytest.raises(Unauthenticated):
            await verifier.verify(auth.token(header | {"kid": kid}, key=stranger))


async def test_a_strangers_signature_is_refused(auth: Auth, verifier: TokenVerifier) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.verify(auth.token({"kid": auth.keys[0].kid}, key=a_key()))


async def test_a_changed_token_is_refused(auth: Auth, verifier: TokenVerifier) -> None:
    header, _, signature = auth.token().split(".")
    _, other, _ = auth.token(tid=str(uuid7())).split(".")
    with pytest.raises(Unauthenticated):
        await verifier.verify(f"{header}.{other}.{signature}")


async def test_a_token_without_a_key_id_is_checked_with_our_keys_or_refused(
    auth: Auth, verifier: TokenVerifier
) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.verify(auth.token({"kid": None}, key=a_key()))


async def test_another_algorithm_of_ours_is_refused_even_if_its_key_is_published(verifier: TokenVerifier) -> None:
    rsa = RSAKey.generate_key(2048, {"use": "sig"}, auto_kid=True)

    async def source() -> KeySet:
        return KeySet([rsa])

    now = int(time.time())
    token = jwt.encode(
        {"alg": "RS256", "kid": rsa.kid, "typ": "at+jwt"}, {"sub": "x", "exp": now + 60}, rsa, algorithms=["RS256"]
    )
    with pytest.raises(Unauthenticated):
        await TokenVerifier(source, "fillstream", "fillstream").verify(token)


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "...", "x.y.z", "a" * 10_000, "é.é.é", "\0", f"{part('x')}.{part('x')}.{part('x')}",
     base64.urlsafe_b64encode(b'{"a":' * 20_000).decode() + ".e30.AA",
     base64.urlsafe_b64encode(b"[" * 40_000).decode() + ".e30.AA"],
    ids=range(11),
)  # fmt: skip
async def test_what_is_no_token_is_refused(verifier: TokenVerifier, token: str) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.verify(token)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    token=st.text(max_size=60)
    | st.lists(st.builds(part, st.dictionaries(st.text(), st.text())), max_size=4).map(".".join)
)
async def test_no_text_makes_the_check_fail_otherwise(verifier: TokenVerifier, token: str) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.verify(token)


@pytest.fixture
async def reader(api: Api) -> AsyncIterator[AsyncClient]:
    async with api.client(api.issuer.token(TENANT, scopes=["orders:read"])) as client:
        yield client


async def test_a_missing_scope_is_forbidden_and_named(reader: AsyncClient) -> None:
    answer = await reader.post("/v1/counters", json={"name": "x"})
    assert problem(answer) == (403, "missing-scope")
    assert "orders:write" in answer.json()["detail"]
    assert (await reader.get("/v1/counters")).status_code == 200


async def test_another_workspaces_rows_are_as_if_absent(api: Api, reader: AsyncClient) -> None:
    async with api.client(api.issuer.token(UUID(int=7))) as other:
        await other.post("/v1/counters", json={"name": "theirs"})
    assert (await reader.get("/v1/counters")).json()["items"] == []


def _who_logged_in(ago: timedelta | None, **whose: UUID) -> Caller:
    at = None if ago is None else utc_now() - ago
    now = utc_now()
    return Caller(uuid7(), TENANT, frozenset(), uuid7(), now, now + timedelta(hours=1), authenticated_at=at, **whose)


async def test_what_is_dangerous_is_open_to_whoever_has_just_shown_who_they_are() -> None:
    caller = _who_logged_in(STEP_UP_AGE - timedelta(seconds=5))

    assert await fresh(caller) is caller


async def test_a_scope_and_a_fresh_proof_are_both_needed_for_what_is_dangerous_in_a_workspace() -> None:
    checked = requires_fresh("orders:write")
    fit = replace(_who_logged_in(timedelta(0)), scopes=frozenset({"orders:write"}))

    assert await checked(fit) is fit
    for unfit in (replace(fit, authenticated_at=None), replace(fit, scopes=frozenset({"orders:read"}))):
        with pytest.raises((StepUpRequired, Forbidden)):
            await checked(unfit)


@pytest.mark.parametrize("ago", [None, STEP_UP_AGE + timedelta(seconds=5), timedelta(days=20)])
async def test_what_is_dangerous_is_closed_to_an_old_session(ago: timedelta | None) -> None:
    with pytest.raises(StepUpRequired):
        await fresh(_who_logged_in(ago))


@pytest.mark.parametrize("whose", ["client_id", "on_behalf_of"])
async def test_what_is_dangerous_is_closed_to_programs_and_guests(whose: str) -> None:
    with pytest.raises(Forbidden):
        await fresh(_who_logged_in(timedelta(0), **{whose: uuid7()}))


async def test_a_guests_token_says_in_whose_place_they_act(auth: Auth, verifier: TokenVerifier) -> None:
    owner = uuid7()

    guest = await verifier.verify(auth.token(on_behalf_of=str(owner)))

    assert guest.on_behalf_of == owner
    assert guest.actor(Origin()) == Actor(ActorKind.STAFF, guest.user_id, owner)
    assert (await verifier.verify(auth.token())).actor(Origin()).kind is ActorKind.USER


async def test_who_has_to_step_up_is_told_how_fresh_to_be(api: Api) -> None:
    async with api.client() as client:
        response = await client.get("/v1/rejections/step-up-required")

    assert problem(response) == (401, "step-up-required")
    assert response.headers["WWW-Authenticate"] == 'Bearer error="insufficient_user_authentication", max_age="900"'
