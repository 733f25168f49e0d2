"""An API key is made by a person who has just shown who they are, is less than they are, and ends when they say so."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import UUID

import pytest
from httpx2 import AsyncClient

from libs.kit.ids import uuid7
from libs.schema.audit import SecurityActed
from libs.schema.auth import (
    AccessRevoked,
    ApiKeyCreated,
    ApiKeyRevoked,
    ApiKeyRotated,
    LockReason,
    MailTemplate,
    UserDeactivated,
)
from services.auth.model import User
from services.auth.program_keys import KeySecret, new_prefix
from tests.auth.builders import Forger, Person, a_person, bearer, mails, private_key
from tests.auth.programs import KEYS, Key, a_key, a_member, ask_for_key, exchange, has_role, revoke, rotate, terms
from tests.world import World


@pytest.fixture
async def ada(client: AsyncClient) -> Person:
    return await a_person(client)


@pytest.fixture
async def key(client: AsyncClient, ada: Person) -> Key:
    return await a_key(client, ada)


async def test_a_secret_is_told_once_and_kept_as_a_hash_alone(client: AsyncClient, world: World, ada: Person) -> None:
    key = await a_key(client, ada)

    shown = await client.get(f"{KEYS}/{key.id}", headers=ada.bearer)
    listed = await client.get(KEYS, headers=ada.bearer)
    [row] = await world.fetch("SELECT secret_hash, api_key::text AS said FROM auth.api_key")

    assert key.secret.startswith(f"{key.prefix}_")
    assert len(key.secret) >= len(key.prefix) + 44
    assert row["secret_hash"] == hashlib.sha256(key.secret.encode()).digest()
    behind = key.secret.removeprefix(key.prefix)
    assert not [text for text in (shown.text, listed.text, row["said"]) if behind in text]
    assert key.prefix in shown.text


def test_nothing_that_prints_a_secret_shows_it() -> None:
    secret = KeySecret.generate(new_prefix())

    assert secret.text not in f"{secret!r} {secret}"


async def test_whoever_makes_or_changes_a_key_has_just_shown_who_they_are(
    client: AsyncClient, world: World, ada: Person, key: Key
) -> None:
    forger = Forger(ada, await private_key(world))
    old = bearer(forger.token(auth_time=int(time.time()) - 1_000, scope="api-keys:read api-keys:write"))

    answers = [
        await client.post(KEYS, json=terms(), headers=old),
        await client.patch(f"{KEYS}/{key.id}", json={"networks": []}, headers=old),
        await client.post(f"{KEYS}/{key.id}/rotate", json={"overlap_seconds": 0}, headers=old),
    ]

    assert [answer.status_code for answer in answers] == [401] * 3
    assert {answer.json()["type"] for answer in answers} == {"urn:fillstream:problem:step-up-required"}
    # What stops a thief must never wait.
    assert (await client.delete(f"{KEYS}/{key.id}", headers=old)).status_code == 204


@pytest.mark.parametrize(
    "scope",
    ["devices:approve", "api-keys:read", "api-keys:write", "billing:write", "kyc:decide", "marketdata:write", "*", ""],
)
async def test_no_program_may_have_what_is_for_people_and_staff(client: AsyncClient, ada: Person, scope: str) -> None:
    answer = await ask_for_key(client, ada, scopes=["orders:read", scope])

    assert (answer.status_code, answer.json()["type"]) == (403, "urn:fillstream:problem:scopes-too-wide")


async def test_a_key_may_do_no_more_than_the_role_of_its_person(client: AsyncClient, world: World, ada: Person) -> None:
    bob = await a_member(world, await a_person(client, email="bob@example.com"), ada.workspace_id, "VIEWER")

    assert (await ask_for_key(client, bob, scopes=["orders:write"])).status_code == 403
    assert (await ask_for_key(client, bob, scopes=["orders:read"])).status_code == 201


async def test_who_is_no_member_any_more_makes_no_keys(client: AsyncClient, world: World, ada: Person) -> None:
    await world.fetch("DELETE FROM auth.membership")

    assert (await ask_for_key(client, ada)).status_code == 403


@pytest.mark.parametrize("days", [-1, 367, 4_000])
async def test_a_key_ends_within_a_year(client: AsyncClient, ada: Person, days: int) -> None:
    ends = datetime.now(UTC) + timedelta(days=days)

    answer = await ask_for_key(client, ada, expires_at=ends.isoformat())

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/expires_at")


@pytest.mark.parametrize("network", ["192.0.2.7/24", "example.com", "192.0.2.0/33", "::ffff:192.0.2.0/120", "", "7"])
async def test_a_network_that_is_none_is_refused(client: AsyncClient, ada: Person, network: str) -> None:
    assert (await ask_for_key(client, ada, networks=[network])).status_code == 422


async def test_a_key_says_its_networks_in_their_usual_form(client: AsyncClient, ada: Person) -> None:
    made = await ask_for_key(client, ada, networks=["192.0.2.7", "2001:DB8:0::/48"])

    assert made.json()["key"]["networks"] == ["192.0.2.7/32", "2001:db8::/48"]


async def test_a_member_sees_their_own_keys_and_the_owner_everybodys(
    client: AsyncClient, world: World, ada: Person, key: Key
) -> None:
    bob = await a_member(world, await a_person(client, email="bob@example.com"), ada.workspace_id, "TRADER")
    of_bob = await a_key(client, bob)

    async def seen(person: Person) -> set[str]:
        return {one["id"] for one in (await client.get(KEYS, headers=person.bearer)).json()["items"]}

    assert await seen(ada) == {key.id, of_bob.id}
    assert await seen(bob) == {of_bob.id}
    assert (await client.get(f"{KEYS}/{of_bob.id}", headers=ada.bearer)).status_code == 200
    assert (await client.get(f"{KEYS}/{key.id}", headers=bob.bearer)).status_code == 404
    assert (await revoke(client, bob, key)).status_code == 404
    # The owner ends what acts in the workspace, but never gets to act as somebody else.
    assert (await rotate(client, ada, of_bob, 0)).status_code == 404
    assert (await client.patch(f"{KEYS}/{of_bob.id}", json={"name": "x"}, headers=ada.bearer)).status_code == 404
    assert (await revoke(client, ada, of_bob)).status_code == 204
    assert (await exchange(client, of_bob)).status_code == 400


async def test_who_is_owner_no_more_sees_their_own_keys_whatever_their_token_says(
    client: AsyncClient, world: World, ada: Person
) -> None:
    bob = await a_member(world, await a_person(client, email="bob@example.com"), ada.workspace_id, "TRADER")
    of_bob = await a_key(client, bob)
    await has_role(world, ada, "TRADER")

    assert (await client.get(KEYS, headers=ada.bearer)).json()["items"] == []
    assert (await revoke(client, ada, of_bob)).status_code == 404


async def test_a_person_has_only_so_many_keys_also_when_they_ask_for_all_at_once(world: World) -> None:
    async with world.running("auth", auth_api_keys_per_person=3) as running:
        client = await running.anonymous()
        ada = await a_person(client)
        answers = await asyncio.gather(*(ask_for_key(client, ada) for _ in range(8)))
        assert Counter(answer.status_code for answer in answers) == {201: 3, 409: 5}

        made = next(Key.of(answer) for answer in answers if answer.is_success)
        await revoke(client, ada, made)
        assert (await ask_for_key(client, ada)).status_code == 201


async def test_a_key_is_described_anew(client: AsyncClient, ada: Person, key: Key) -> None:
    named = await client.patch(f"{KEYS}/{key.id}", json={"name": "hedger"}, headers=ada.bearer)
    moved = await client.patch(f"{KEYS}/{key.id}", json={"networks": ["192.0.2.0/24"]}, headers=ada.bearer)

    assert (named.json()["name"], named.json()["networks"]) == ("hedger", [])
    assert (moved.json()["name"], moved.json()["networks"]) == ("hedger", ["192.0.2.0/24"])


async def _passes(world: World, seconds: int) -> None:
    """For keys: what was promised of their secrets is so much longer ago."""
    await world.fetch("UPDATE auth.api_key SET previous_until = previous_until - make_interval(secs => $1)", seconds)


async def _work(client: AsyncClient, *keys: Key) -> list[bool]:
    return [(await exchange(client, key)).is_success for key in keys]


async def test_both_secrets_work_until_the_overlap_ends(
    client: AsyncClient, world: World, ada: Person, key: Key
) -> None:
    rotated = Key.of(await rotate(client, ada, key, 60))
    assert rotated.prefix == key.prefix
    assert await _work(client, key, rotated) == [True, True]

    await _passes(world, 61)

    assert await _work(client, key, rotated) == [False, True]


async def test_without_an_overlap_the_old_secret_is_over_at_once(client: AsyncClient, ada: Person, key: Key) -> None:
    rotated = Key.of(await rotate(client, ada, key, 0))

    assert await _work(client, key, rotated) == [False, True]


async def test_of_two_rotations_in_a_row_the_last_two_secrets_work(client: AsyncClient, ada: Person, key: Key) -> None:
    second = Key.of(await rotate(client, ada, key, 3_600))
    third = Key.of(await rotate(client, ada, key, 3_600))

    assert await _work(client, key, second, third) == [False, True, True]


async def test_of_twenty_rotations_at_once_two_secrets_are_left(client: AsyncClient, ada: Person, key: Key) -> None:
    rotations = await asyncio.gather(*(rotate(client, ada, key, 3_600) for _ in range(20)))

    assert {answer.status_code for answer in rotations} == {200}
    assert sum(await _work(client, key, *map(Key.of, rotations))) == 2


@pytest.mark.parametrize("overlap", [-1, 7 * 86_400 + 1])
async def test_an_overlap_lasts_a_week_at_most(client: AsyncClient, ada: Person, key: Key, overlap: int) -> None:
    assert (await rotate(client, ada, key, overlap)).status_code == 422


async def test_an_old_secret_never_outlives_its_key(client: AsyncClient, world: World, ada: Person, key: Key) -> None:
    await world.fetch("UPDATE auth.api_key SET expires_at = now() + interval '1 hour'")

    told = (await rotate(client, ada, key, 86_400)).json()["key"]

    assert told["previous_secret_until"] == told["expires_at"]


async def test_a_revoked_key_is_seen_by_its_id_alone_and_comes_never_back(
    client: AsyncClient, ada: Person, key: Key
) -> None:
    assert [(await revoke(client, ada, key)).status_code for _ in range(2)] == [204, 204]

    assert (await client.get(KEYS, headers=ada.bearer)).json()["items"] == []
    assert (await client.get(f"{KEYS}/{key.id}", headers=ada.bearer)).json()["revoked_at"] is not None
    assert (await rotate(client, ada, key, 60)).status_code == 409


async def test_what_happens_to_a_key_is_told_without_its_secret(
    client: AsyncClient, world: World, ada: Person, key: Key
) -> None:
    rotated = Key.of(await rotate(client, ada, key, 60))
    await revoke(client, ada, key)
    await mails(world, MailTemplate.API_KEY_CREATED)

    [created] = await world.expect(ApiKeyCreated, 1)
    await world.expect(ApiKeyRotated, 1)
    [revoked] = await world.expect(ApiKeyRevoked, 1)
    acts = [told.event for told in world.published(SecurityActed) if told.event.target_kind == "api_key"]
    rows = await world.fetch("SELECT data FROM auth.event_log")

    assert (str(created.event.key_id), created.event.prefix) == (key.id, key.prefix)
    assert revoked.event.revoked_by == UUID(ada.user_id)
    assert [act.act for act in acts] == ["api_key.created", "api_key.rotated", "api_key.revoked"]
    assert {str(act.workspace_id) for act in acts} == {ada.workspace_id}
    secrets = [one.secret.removeprefix(one.prefix) for one in (key, rotated)]
    assert not [row for row in rows for secret in secrets if secret in row["data"]]


LOCKS = [(reason, minutes) for reason in LockReason for minutes in (5, 50)]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_lock_of_support_stays_one_however_many_logins_fail_before_and_after(count: int) -> None:
    now = datetime.now(UTC)
    for locks in product(LOCKS, repeat=count):
        user = User(id=uuid7(), default_workspace_id=uuid7(), version=0, is_active=True)
        for reason, minutes in locks:
            user.lock(now + timedelta(minutes=minutes), reason, now)

        assert user.may_be_acted_for(now) is (LockReason.SUPPORT not in dict(locks)), locks
        assert user.may_be_acted_for(now + timedelta(minutes=51))


async def test_a_person_who_is_shut_out_takes_the_tokens_of_their_programs_along(
    client: AsyncClient, world: World, ada: Person, key: Key
) -> None:
    now, user_id, home_id = datetime.now(UTC), UUID(ada.user_id), UUID(ada.workspace_id)

    await world.publish(UserDeactivated(occurred_at=now, user_id=user_id, workspace_id=home_id), tenant_id=home_id)

    [ended] = await world.expect(AccessRevoked, 1)
    assert (ended.event.user_id, ended.event.session_id, ended.event.workspace_id) == (user_id, None, None)
    assert ended.event.issued_before > now


async def test_how_often_a_person_makes_and_revokes_keys_is_limited(world: World) -> None:
    async with world.running("auth", auth_api_key_changes_per_hour=4, rate_limit_scale=1) as running:
        client = await running.anonymous()
        person, other = await a_person(client), await a_person(client, email="bob@example.com")
        for _ in range(2):
            assert (await revoke(client, person, await a_key(client, person))).status_code == 204
        refused = await ask_for_key(client, person)
        assert (refused.status_code, refused.json()["type"]) == (429, "urn:fillstream:problem:rate-limited")
        assert '"api-key-changes"' in refused.headers["RateLimit-Policy"]
        assert (await ask_for_key(client, other)).status_code == 201
