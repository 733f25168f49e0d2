"""A program gets a token for its key (RFC 6749, section 4.4), for less than its person may, and nobody else gets one."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from datetime import UTC, datetime, timedelta
from urllib.parse import quote_plus
from uuid import UUID

import pytest
from httpx2 import AsyncClient, Response

from libs.kit.revocations import Granted, Revocations
from libs.schema.audit import INSTALLATION, ActResult, SecurityActed
from libs.schema.auth import AccessRevoked
from tests.auth.builders import Person, a_person, bearer, verifier
from tests.auth.devices import error
from tests.auth.programs import KEYS, Key, a_key, a_member, calling_from, exchange, has_role, revoke, terms, token
from tests.issuer import Issuer
from tests.structured_fields import parse_list
from tests.world import Running, World, eventually

OFFICE = "192.0.2.7"
ELSEWHERE = "198.51.100.7"


@pytest.fixture
async def ada(client: AsyncClient) -> Person:
    return await a_person(client)


@pytest.fixture
async def key(client: AsyncClient, ada: Person) -> Key:
    return await a_key(client, ada, scopes=["orders:read", "orders:write", "audit:read"])


def _basic(name: str, secret: str) -> dict[str, str]:
    pair = base64.b64encode(f"{quote_plus(name)}:{quote_plus(secret)}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


async def _with_basic(client: AsyncClient, key: Key, **changes: str) -> Response:
    form = {"grant_type": "client_credentials"} | changes
    return await client.post("/v1/auth/token", data=form, headers=_basic(key.prefix, key.secret))


async def test_a_key_is_exchanged_for_a_short_token_of_its_person_and_nothing_more(
    client: AsyncClient, ada: Person, key: Key
) -> None:
    answer = await exchange(client, key)

    told = answer.raise_for_status().json()
    caller = await verifier(client).verify(told["access_token"])
    assert set(told) == {"access_token", "token_type", "expires_in", "scope", "workspace_id"}
    assert (told["token_type"], told["expires_in"], told["scope"]) == (
        "Bearer",
        600,
        "audit:read orders:read orders:write",
    )
    assert answer.headers["cache-control"] == "no-store"
    assert (str(caller.user_id), str(caller.tenant_id)) == (ada.user_id, ada.workspace_id)
    assert str(caller.client_id) == str(caller.session_id) == key.id
    # Nobody has shown who they are.
    assert (caller.authenticated_at, caller.methods) == (None, frozenset())


async def test_a_key_is_shown_in_a_form_in_json_or_by_basic(client: AsyncClient, key: Key) -> None:
    body = {"grant_type": "client_credentials", "client_id": key.prefix, "client_secret": key.secret}

    answers = [
        await exchange(client, key),
        await client.post("/v1/auth/token", json=body),
        await _with_basic(client, key),
        await _with_basic(client, key, client_id=key.prefix),
    ]

    assert [answer.status_code for answer in answers] == [200] * 4


async def test_the_metadata_tells_the_grant_and_how_to_show_a_key(client: AsyncClient) -> None:
    told = (await client.get("/.well-known/oauth-authorization-server")).json()

    assert "client_credentials" in told["grant_types_supported"]
    assert {"client_secret_basic", "client_secret_post"} <= set(told["token_endpoint_auth_methods_supported"])


async def test_a_program_opens_what_its_token_allows_and_nothing_that_is_for_people(
    client: AsyncClient, key: Key
) -> None:
    held = bearer(await token(client, key))

    assert (await client.get("/v1/audit", headers=held)).status_code == 200
    refused = [
        await client.get("/v1/me", headers=held),
        await client.get("/v1/sessions", headers=held),
        await client.get(KEYS, headers=held),
        await client.post(KEYS, json=terms(), headers=held),
        await client.delete(f"{KEYS}/{key.id}", headers=held),
        await client.put("/v1/me/password", json={}, headers=held),
    ]
    assert [answer.status_code for answer in refused] == [403] * 6


async def test_a_program_may_ask_for_less_and_not_for_more(client: AsyncClient, key: Key) -> None:
    assert (await exchange(client, key, scope="orders:read")).json()["scope"] == "orders:read"
    for wider in ("orders:read accounts:write", "devices:approve", "api-keys:write", "nonsense"):
        assert error(await exchange(client, key, scope=wider)) == "invalid_scope"


@pytest.mark.parametrize("more", [{}, {"scope": ""}, {"scope[0]": "orders:read"}])
async def test_without_a_scope_that_is_one_a_program_gets_and_is_told_all_of_its_key(
    client: AsyncClient, key: Key, more: dict[str, str]
) -> None:
    answer = await exchange(client, key, **more)

    assert (answer.status_code, answer.json()["scope"]) == (200, "audit:read orders:read orders:write")


async def test_a_program_gets_no_scope_beyond_its_key(client: AsyncClient, key: Key) -> None:
    assert error(await exchange(client, key, scope="billing:read")) == "invalid_scope"


async def test_whoever_guesses_hears_the_same_of_a_key_that_there_is_and_of_one_that_there_is_not(
    client: AsyncClient, key: Key
) -> None:
    guesses = [
        Key("", key.prefix, key.secret[:-1]),
        Key("", key.prefix, key.prefix),
        Key("", "fsk_unknown0", key.secret),
        Key("", key.prefix.lower() + "x", "nonsense"),
    ]

    in_forms = [await exchange(client, guess) for guess in guesses]
    by_basic = [await _with_basic(client, guess) for guess in guesses]

    assert {error(answer) for answer in in_forms} == {"invalid_client"}
    assert len({answer.text for answer in [*in_forms, *by_basic]}) == 1
    assert {answer.status_code for answer in by_basic} == {401}
    assert {answer.headers["www-authenticate"] for answer in by_basic} == {'Basic realm="fillstream"'}


async def test_a_secret_in_an_address_or_in_two_places_is_refused(client: AsyncClient, key: Key) -> None:
    pair = {"client_id": key.prefix, "client_secret": key.secret}
    form = {"grant_type": "client_credentials"}

    in_address = await client.post("/v1/auth/token", params=pair, data=form)
    beside_the_form = await client.post("/v1/auth/token", params={"client_secret": key.secret}, data=form | pair)
    twice = await client.post("/v1/auth/token", data=form | pair, headers=_basic(key.prefix, key.secret))
    another = await _with_basic(client, key, client_id="fsk_another0")

    for answer in (in_address, beside_the_form, twice, another):
        assert error(answer) == "invalid_request"
        assert key.secret not in answer.text


@pytest.mark.parametrize("credentials", ["", "x", "Og==", "OnNlY3JldA==", "bmFtZTo=", "/////w==", "bmFtZQ=="])
async def test_a_header_that_is_none_is_refused(client: AsyncClient, credentials: str) -> None:
    answer = await client.post(
        "/v1/auth/token", data={"grant_type": "client_credentials"}, headers={"Authorization": f"Basic {credentials}"}
    )

    assert error(answer) == "invalid_request"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("UPDATE auth.api_key SET expires_at = now() - interval '1 second'", "invalid_client"),
        ("DELETE FROM auth.membership", "unauthorized_client"),
        ('UPDATE auth."user" SET is_active = false', "unauthorized_client"),
        ('UPDATE auth."user" SET deleted_at = now()', "unauthorized_client"),
        (
            "UPDATE auth.\"user\" SET lock_reason = 'SUPPORT', locked_until = now() + interval '1 hour'",
            "unauthorized_client",
        ),
    ],
)
async def test_a_right_secret_is_of_no_use_when_the_key_or_its_person_is_out(
    client: AsyncClient, world: World, ada: Person, key: Key, change: str, expected: str
) -> None:
    await world.fetch(change)

    assert error(await exchange(client, key)) == expected
    await world.settled("auth")
    [told] = [act.event for act in world.published(SecurityActed) if act.event.act == "api_key.used"]
    assert (str(told.workspace_id), told.result, str(told.actor_id)) == (ada.workspace_id, ActResult.REFUSED, key.id)


async def test_nobody_stops_a_persons_programs_by_guessing_the_password(
    client: AsyncClient, world: World, key: Key
) -> None:
    await world.fetch(
        "UPDATE auth.\"user\" SET lock_reason = 'FAILED_LOGINS', locked_until = now() + interval '1 hour'"
    )

    assert (await exchange(client, key)).is_success


async def test_a_key_shrinks_with_the_role_of_its_person_and_grows_no_further_than_it_was(
    client: AsyncClient, world: World, ada: Person, key: Key
) -> None:
    async def scopes_as(role: str) -> str:
        await has_role(world, ada, role)
        return str((await exchange(client, key)).raise_for_status().json()["scope"])

    assert await scopes_as("VIEWER") == "orders:read"
    assert error(await exchange(client, key, scope="orders:write")) == "invalid_scope"
    assert await scopes_as("TRADER") == "orders:read orders:write"
    assert await scopes_as("OWNER") == "audit:read orders:read orders:write"


async def test_a_key_of_a_removed_member_opens_nothing_and_those_of_others_do(
    client: AsyncClient, world: World, ada: Person, key: Key
) -> None:
    bob = await a_member(world, await a_person(client, email="bob@example.com"), ada.workspace_id, "TRADER")
    of_bob = await a_key(client, bob)
    assert (await exchange(client, of_bob)).is_success
    await world.fetch("DELETE FROM auth.membership WHERE user_id = $1 AND role = 'TRADER'", UUID(bob.user_id))

    assert error(await exchange(client, of_bob)) == "unauthorized_client"
    assert (await exchange(client, key)).is_success


async def test_a_token_ends_with_the_secret_that_it_was_given_for(
    client: AsyncClient, world: World, ada: Person, key: Key
) -> None:
    await world.fetch("UPDATE auth.api_key SET expires_at = now() + interval '100 seconds'")

    assert 90 <= (await exchange(client, key)).json()["expires_in"] <= 100


async def test_no_token_of_a_program_lives_longer_than_ten_minutes(world: World) -> None:
    async with world.running("auth", access_token_seconds=3_600) as running:
        client = await running.anonymous()
        key = await a_key(client, await a_person(client))
        assert (await exchange(client, key)).json()["expires_in"] == 600


async def test_a_key_is_exchanged_from_its_networks_alone_whatever_a_client_says_of_itself(
    client: AsyncClient, auth: Running, ada: Person
) -> None:
    key = await a_key(client, ada, networks=["192.0.2.0/24", "2001:db8::/48"])

    async def answer_to(address: str, **headers: str) -> Response:
        async with calling_from(auth, address, **headers) as program:
            return await exchange(program, key)

    for inside in (OFFICE, f"::ffff:{OFFICE}", "2001:db8::1"):
        assert (await answer_to(inside)).is_success
    for outside in (ELSEWHERE, "2001:db8:1::1", "nowhere"):
        assert error(await answer_to(outside)) == "unauthorized_client"
    forged = await answer_to(
        ELSEWHERE, **{"X-Forwarded-For": OFFICE, "Forwarded": f"for={OFFICE}", "X-Real-IP": OFFICE}
    )
    assert error(forged) == "unauthorized_client"


async def test_a_token_that_left_its_network_is_of_no_use_in_any_service(
    world: World, issuer: Issuer, auth: Running, client: AsyncClient, ada: Person
) -> None:
    key = await a_key(client, ada, networks=["192.0.2.0/24"], scopes=["audit:read"])
    async with calling_from(auth, OFFICE) as program:
        held = await token(program, key)
        assert (await program.get("/v1/audit", headers=bearer(held))).status_code == 200
    async with calling_from(auth, ELSEWHERE) as thief:
        answer = await thief.get("/v1/audit", headers=bearer(held))
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:fillstream:problem:address-not-allowed")

    claims = {"client_id": key.id, "sid": key.id, "networks": ["192.0.2.0/24"]}
    elsewhere = bearer(issuer.token(UUID(ada.workspace_id), **claims))
    proxy = "203.0.113.1"
    async with world.running("billing", trusted_proxies=proxy) as billing:
        statuses = {}
        for who, address, said in (
            ("office", OFFICE, ""), ("thief", ELSEWHERE, ""), ("forger", ELSEWHERE, OFFICE),
            ("office behind our proxy", proxy, OFFICE), ("thief behind our proxy", proxy, ELSEWHERE),
            ("forger behind our proxy", proxy, f"{OFFICE}, {ELSEWHERE}"),
        ):  # fmt: skip
            async with calling_from(billing, address, **({"X-Forwarded-For": said} if said else {})) as caller:
                statuses[who] = (await caller.get("/v1/plans", headers=elsewhere)).status_code
    assert statuses == {
        "office": 200, "thief": 403, "forger": 403, "office behind our proxy": 200, "thief behind our proxy": 403,
        "forger behind our proxy": 403,
    }  # fmt: skip


async def test_a_revoked_keys_tokens_are_refused_elsewhere_soon_and_no_new_ones_given(
    world: World, issuer: Issuer, client: AsyncClient, ada: Person, key: Key
) -> None:
    held = await token(client, key)
    claims = {"sub": ada.user_id, "client_id": key.id, "sid": key.id}
    elsewhere = bearer(issuer.token(UUID(ada.workspace_id), **claims))
    async with world.running("billing") as billing:
        other = await billing.anonymous()
        assert (await other.get("/v1/plans", headers=elsewhere)).status_code == 200

        await revoke(client, ada, key)

        async def refused() -> None:
            assert (await other.get("/v1/plans", headers=elsewhere)).status_code == 401
            assert (await client.get("/v1/audit", headers=bearer(held))).status_code == 401

        await eventually(refused)
    assert error(await exchange(client, key)) == "invalid_client"
    assert (await client.get("/v1/me", headers=ada.bearer)).status_code == 200


async def test_what_ends_a_persons_access_to_a_workspace_ends_their_programs_there(
    client: AsyncClient, ada: Person, key: Key
) -> None:
    caller = await verifier(client).verify(await token(client, key))
    now, known = datetime.now(UTC), Revocations()
    granted = Granted(caller.user_id, caller.tenant_id, caller.session_id, now)

    def ended(workspace_id: UUID, before: datetime) -> AccessRevoked:
        return AccessRevoked(
            occurred_at=now, user_id=caller.user_id, session_id=None, workspace_id=workspace_id, issued_before=before
        )

    later = now + timedelta(seconds=1)
    known.learn(ended(INSTALLATION, later), now)
    known.learn(ended(caller.tenant_id, now), now)
    assert not known.cover(granted)
    known.learn(ended(caller.tenant_id, later), now)
    assert known.cover(granted)


async def test_it_is_noted_once_a_minute_that_a_key_is_used_and_from_where(
    client: AsyncClient, auth: Running, world: World, ada: Person, key: Key
) -> None:
    async def last_use() -> tuple[str, str]:
        told = (await client.get(f"{KEYS}/{key.id}", headers=ada.bearer)).json()
        return told["last_used_at"], told["last_used_from"]

    async with calling_from(auth, OFFICE) as program:
        await asyncio.gather(*(exchange(program, key) for _ in range(10)))
    first = await last_use()
    async with calling_from(auth, ELSEWHERE) as program:
        await exchange(program, key)
        assert await last_use() == first
        await world.fetch("UPDATE auth.api_key SET last_used_at = last_used_at - interval '61 seconds'")
        await exchange(program, key)

    assert (first[1], (await last_use())[1]) == (OFFICE, ELSEWHERE)


async def test_a_key_is_exchanged_only_so_often_at_all_replicas_together(world: World) -> None:
    quota = {"auth_api_key_tokens_per_minute": 5}
    async with world.running("auth", **quota) as one, world.running("auth", **quota) as other:
        clients = [await one.anonymous(), await other.anonymous()]
        key = await a_key(clients[0], await a_person(clients[0]))
        answers = await asyncio.gather(*(exchange(clients[number % 2], key) for number in range(12)))

    assert Counter(answer.status_code for answer in answers) == {200: 5, 429: 7}
    policies = {name for name, _ in parse_list(answers[0].headers["ratelimit-policy"])}
    assert policies == {"refresh", "api-key-tokens"}


async def test_guesses_are_stopped_fill_no_trail_and_do_not_stop_the_keys_own_programs(
    world: World,
) -> None:
    async with world.running("auth", auth_api_key_refusals_per_hour=5) as running:
        client = await running.anonymous()
        key = await a_key(client, await a_person(client))
        guess = Key("", key.prefix, "x")
        answers = [await exchange(client, guess) for _ in range(9)]
        unknown = await exchange(client, Key("", "fsk_unknown0", "x"))
        own = await exchange(client, key)
        await world.settled("auth")

    assert [answer.status_code for answer in answers] == [400] * 5 + [429] * 4
    assert (unknown.status_code, own.status_code) == (400, 200)
    told = [act.event for act in world.published(SecurityActed) if act.event.act == "api_key.used"]
    assert [act.target_id for act in told] == [key.id] * 5 + ["unknown"]
    assert {act.actor_id for act in told} == {None}
    assert told[-1].workspace_id == INSTALLATION


async def test_guesses_from_one_address_at_many_prefixes_are_stopped(world: World) -> None:
    async with world.running("auth", auth_api_key_refusals_per_address_hour=4) as running:
        client = await running.anonymous()
        answers = [await exchange(client, Key("", f"fsk_{number:08}", "x")) for number in range(6)]

    assert [answer.status_code for answer in answers] == [400] * 4 + [429] * 2


async def test_the_requests_of_a_keys_programs_are_counted_at_all_replicas_of_a_service_together(
    world: World, issuer: Issuer
) -> None:
    tenant, mine, other = UUID(int=1), UUID(int=2), UUID(int=3)
    quota = {"api_key_requests_per_minute": 4}
    async with world.running("billing", **quota) as one, world.running("billing", **quota) as another:
        clients = [await one.anonymous(), await another.anonymous()]
        held = bearer(issuer.token(tenant, client_id=str(mine), sid=str(mine)))
        answers = [await clients[n % 2].get("/v1/plans", headers=held) for n in range(6)]
        of_another = bearer(issuer.token(tenant, client_id=str(other), sid=str(other)))
        beside = await clients[0].get("/v1/plans", headers=of_another)
        person = await clients[0].get("/v1/plans", headers=bearer(issuer.token(tenant)))

    assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2
    assert parse_list(answers[0].headers["ratelimit"])[0][0] == "api-key"
    assert parse_list(answers[0].headers["ratelimit-policy"]) == [("api-key", {"q": 4, "w": 60})]
    assert (beside.status_code, person.status_code) == (200, 200)
    assert "ratelimit" not in person.headers
