"""Sessions: their owner sees and ends them, and a token that is over opens nothing any more."""

from __future__ import annotations

import asyncio
from uuid import UUID

from httpx2 import AsyncClient

from libs.kit.ids import uuid7
from libs.schema.auth import AccessRevoked, MailTemplate, SessionCompromised, SessionEnd, SessionOpened, SessionRevoked
from tests.auth.builders import Person, a_person, again, bearer, log_in, mails, refresh, refresh_elsewhere
from tests.world import World, eventually


async def is_refused(client: AsyncClient, person: Person) -> None:
    """Wait until the access token opens nothing."""

    async def refused() -> None:
        assert (await client.get("/v1/me", headers=person.bearer)).status_code == 401

    await eventually(refused)


async def test_a_person_sees_their_sessions_and_which_one_asks(client: AsyncClient) -> None:
    first = await a_person(client)
    await a_person(client, email="bob@example.com")
    client.headers["user-agent"] = "a phone"
    second = await again(client, first.user_id)

    seen = (await client.get("/v1/sessions", headers=second.bearer)).json()["items"]

    assert [(one["id"], one["current"]) for one in seen] == [(second.session_id, True), (first.session_id, False)]
    assert seen[0]["device"] == "a phone"
    assert seen[0]["address"] == "127.0.0.1"


async def test_a_login_is_told_with_its_device(client: AsyncClient, world: World) -> None:
    client.headers["user-agent"] = "x" * 1000
    person = await a_person(client)

    (opened,) = await world.expect(SessionOpened, 1)

    assert opened.event.session_id == UUID(person.session_id)
    assert opened.event.device == "x" * 300


async def test_a_revoked_session_ends_at_once_and_alone(client: AsyncClient, world: World) -> None:
    kept = await a_person(client)
    lost = await again(client, kept.user_id)

    answer = await client.delete(f"/v1/sessions/{lost.session_id}", headers=kept.bearer)

    assert answer.status_code == 204
    await is_refused(client, lost)
    assert (await refresh(client, lost.refresh_token)).status_code == 401
    assert (await client.get("/v1/me", headers=kept.bearer)).status_code == 200
    (revoked,) = await world.expect(SessionRevoked, 1)
    assert (revoked.event.session_id, revoked.event.reason) == (UUID(lost.session_id), SessionEnd.REVOKED)


async def test_somebody_elses_session_is_not_there(client: AsyncClient) -> None:
    ada, bob = await a_person(client), await a_person(client, email="bob@example.com")

    answers = [
        await client.delete(f"/v1/sessions/{session}", headers=bob.bearer) for session in (ada.session_id, uuid7())
    ]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert (await refresh(client, ada.refresh_token)).status_code == 200


async def test_logging_out_everywhere_ends_every_session(client: AsyncClient) -> None:
    first = await a_person(client)
    second = await again(client, first.user_id)

    assert (await client.delete("/v1/sessions", headers=first.bearer)).status_code == 204

    await is_refused(client, first)
    await is_refused(client, second)
    for token in (first.refresh_token, second.refresh_token):
        assert (await refresh(client, token)).status_code == 401
    assert (await log_in(client)).status_code == 200


async def test_logging_out_ends_the_access_token_too(client: AsyncClient) -> None:
    person = await a_person(client)

    await client.post("/v1/auth/logout", json={"refresh_token": person.refresh_token})

    await is_refused(client, person)


async def test_a_token_that_comes_again_is_told_and_its_owner_is_written_to(client: AsyncClient, world: World) -> None:
    person = await a_person(client)
    newest = (await refresh(client, person.refresh_token)).json()

    await asyncio.gather(*(refresh_elsewhere(client, person.refresh_token) for _ in range(20)))

    await is_refused(client, person)
    assert (await client.get("/v1/me", headers=bearer(newest["access_token"]))).status_code == 401
    (told,) = await world.expect(SessionCompromised, 1)
    assert told.event.session_id == UUID(person.session_id)
    assert len(await world.expect(AccessRevoked, 1)) == 1
    (mail,) = await mails(world, MailTemplate.SESSION_COMPROMISED)
    assert (mail.address, mail.expires_at) == ("ada@example.com", None)


async def test_a_session_ends_however_often_it_is_refreshed(client: AsyncClient, world: World) -> None:
    person = await a_person(client)
    await world.fetch("UPDATE auth.session SET expires_at = now() + interval '1 minute'")

    newer = (await refresh(client, person.refresh_token)).json()["refresh_token"]
    await world.fetch("UPDATE auth.session SET expires_at = now() - interval '1 second'")

    assert (await refresh(client, newer)).status_code == 401
    assert (await client.get("/v1/sessions", headers=person.bearer)).json()["items"] == []
    (row,) = await world.fetch("SELECT max(expires_at) < now() + interval '2 minutes' AS bound FROM auth.refresh_token "
                               "WHERE used_at IS NULL")  # fmt: skip
    assert row["bound"]


async def test_a_deactivated_persons_token_opens_nothing_of_theirs(client: AsyncClient, world: World) -> None:
    person = await a_person(client)
    await world.fetch('UPDATE auth."user" SET is_active = false')

    assert (await client.get("/v1/sessions", headers=person.bearer)).status_code == 401


async def test_every_try_to_log_in_is_seen_by_its_owner_alone(client: AsyncClient) -> None:
    ada, bob = await a_person(client), await a_person(client, email="bob@example.com")
    await log_in(client, password="not the password")

    seen = (await client.get("/v1/me/logins?limit=1", headers=ada.bearer)).json()
    rest = (await client.get(f"/v1/me/logins?cursor={seen['next_cursor']}", headers=ada.bearer)).json()
    of_bob = (await client.get("/v1/me/logins", headers=bob.bearer)).json()

    assert [one["result"] for one in seen["items"] + rest["items"]] == ["WRONG", "SUCCEEDED"]
    assert [one["result"] for one in of_bob["items"]] == ["SUCCEEDED"]
