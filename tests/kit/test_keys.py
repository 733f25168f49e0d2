"""How are the public keys kept? Fetched once, again for a new key, never in a storm; without any, nobody is checked."""

from __future__ import annotations

import asyncio

import pytest
from joserfc.jwk import KeySet

from libs.kit.errors import Unauthenticated
from libs.kit.revocations import Revocations
from libs.kit.security import KeysUnavailable, TokenVerifier, token_verifier
from libs.kit.settings import Settings
from tests.kit.tokens import Auth, a_key


@pytest.fixture
def auth() -> Auth:
    return Auth()


@pytest.fixture
def verifier(auth: Auth) -> TokenVerifier:
    return TokenVerifier(auth, "fillstream", "fillstream")


async def test_keys_are_fetched_once_for_many_tokens(auth: Auth, verifier: TokenVerifier) -> None:
    await asyncio.gather(*(verifier.verify(auth.token()) for _ in range(50)))
    assert auth.requests == 1


async def test_a_new_key_is_asked_for_once_when_its_first_token_comes(auth: Auth, verifier: TokenVerifier) -> None:
    old = auth.token()
    await verifier.verify(old)
    verifier._fetched_at -= 6  # noqa: SLF001 as if the keys were six seconds old
    auth.keys.append(a_key())

    await asyncio.gather(*(verifier.verify(auth.token()) for _ in range(20)))
    await verifier.verify(old)

    assert auth.requests == 2


async def test_unknown_keys_are_no_storm_of_requests(auth: Auth, verifier: TokenVerifier) -> None:
    await verifier.verify(auth.token())
    verifier._fetched_at -= 6  # noqa: SLF001
    for _ in range(3):
        results = await asyncio.gather(
            *(verifier.verify(auth.token({"kid": f"k{n}"})) for n in range(30)), return_exceptions=True
        )
        assert {type(result) for result in results} == {Unauthenticated}
    assert auth.requests == 2


async def test_what_is_no_token_makes_nobody_ask_for_keys(auth: Auth, verifier: TokenVerifier) -> None:
    await verifier.verify(auth.token())
    verifier._fetched_at -= 6  # noqa: SLF001
    for token in ("x.y.z", auth.token(key=a_key(), header={"kid": auth.keys[0].kid})):
        with pytest.raises(Unauthenticated):
            await verifier.verify(token)
    assert auth.requests == 1


async def test_a_key_that_was_withdrawn_is_forgotten(auth: Auth, verifier: TokenVerifier) -> None:
    token = auth.token()
    await verifier.verify(token)
    auth.keys[:] = [a_key()]
    verifier._fetched_at -= 301  # noqa: SLF001
    with pytest.raises(Unauthenticated):
        await verifier.verify(token)


async def test_without_keys_nobody_can_be_checked_and_waiting_callers_share_one_request(
    auth: Auth, verifier: TokenVerifier
) -> None:
    auth.away = True
    results = await asyncio.gather(*(verifier.verify(auth.token()) for _ in range(20)), return_exceptions=True)
    assert {type(result) for result in results} == {KeysUnavailable}
    assert auth.requests == 1

    auth.away = False
    assert await verifier.verify(auth.token())


async def test_known_keys_serve_on_while_auth_is_away(auth: Auth, verifier: TokenVerifier) -> None:
    await verifier.verify(auth.token())
    auth.away = True
    verifier._fetched_at -= 301  # noqa: SLF001
    assert await verifier.verify(auth.token())


@pytest.mark.parametrize("document", [[], {}, {"keys": 7}, {"keys": [{"kty": "XX"}]}, "x"])
async def test_a_document_that_holds_no_keys_is_as_good_as_none(document: object) -> None:
    async def source() -> KeySet:
        return KeySet.import_key_set(document)  # type: ignore[arg-type]

    with pytest.raises((KeysUnavailable, Unauthenticated)):
        await TokenVerifier(source, "fillstream", "fillstream").verify(Auth().token())


async def test_a_jwks_server_that_is_away_is_said_so(settings: Settings) -> None:
    nowhere = settings.model_copy(update={"jwks_url": "http://127.0.0.1:9/jwks.json"})
    async with token_verifier(nowhere, Revocations()) as verifier:
        with pytest.raises(KeysUnavailable):
            await verifier.verify(Auth().token())
