"""Switching: a token names one workspace, another one takes a refresh token, and who is no member gets nowhere."""

from __future__ import annotations

from httpx2 import AsyncClient

from libs.kit.ids import uuid7
from libs.schema.auth import SessionCompromised
from tests.auth.builders import Person, a_person, bearer, refresh
from tests.auth.teams import a_team, create, switch, switched
from tests.world import World


async def here(client: AsyncClient, access_token: str) -> tuple[str, str]:
    """Which workspace a token is for, and what its person is there."""
    workspace = (await client.get("/v1/me", headers=bearer(access_token))).json()["workspace"]
    return workspace["id"], workspace["role"]


def problem(body: dict[str, str]) -> str:
    return body["type"].rpartition(":")[2]


async def test_switching_gives_tokens_for_another_workspace_and_the_session_stays_there(client: AsyncClient) -> None:
    ada = await a_person(client)
    made = await create(client, ada)

    there = await switched(client, ada, made)
    later = (await refresh(client, there.refresh_token)).json()

    assert there.session_id == ada.session_id
    assert await here(client, there.access_token) == await here(client, later["access_token"]) == (made, "OWNER")
    assert await here(client, ada.access_token) == (ada.workspace_id, "OWNER")


async def test_a_member_has_the_scopes_of_their_role_there(client: AsyncClient, world: World) -> None:
    team = await a_team(client, world, vera="VIEWER", tom="TRADER")
    scopes = {
        email: set((await client.get("/v1/me", headers=member.bearer)).json()["scopes"])
        for email, member in team.members.items()
    }

    assert "orders:write" not in scopes["vera@example.com"]
    assert "orders:write" in scopes["tom@example.com"]
    assert "members:write" not in scopes["tom@example.com"]


async def test_nobody_switches_to_where_they_are_no_member_and_nothing_is_used_up(client: AsyncClient) -> None:
    ada, bob = await a_person(client), await a_person(client, email="bob@example.com")

    answers = [await switch(client, bob.refresh_token, wanted) for wanted in (ada.workspace_id, str(uuid7()))]

    assert [(one.status_code, problem(one.json())) for one in answers] == [(404, "not-found")] * 2
    assert (await refresh(client, bob.refresh_token)).status_code == 200


async def test_a_refresh_token_that_switches_a_second_time_ends_the_session(client: AsyncClient, world: World) -> None:
    ada = await a_person(client)
    made = await create(client, ada)
    there = await switched(client, ada, made)

    client.headers["user-agent"] = "somebody else's"
    assert (await switch(client, ada.refresh_token, made)).status_code == 401

    assert (await refresh(client, there.refresh_token)).status_code == 401
    await world.expect(SessionCompromised, 1)


async def test_a_session_of_whoever_was_removed_goes_on_elsewhere(client: AsyncClient, world: World) -> None:
    team = await a_team(client, world, tom="TRADER")
    tom = team.members["tom@example.com"]
    path = f"{team.path}/members/{tom.user_id}"
    assert (await client.delete(path, headers=team.owner.bearer)).status_code == 204

    refused = [await refresh(client, tom.refresh_token) for _ in range(2)]
    oauth = {"grant_type": "refresh_token", "refresh_token": tom.refresh_token}
    refused_oauth = await client.post("/v1/auth/token", data=oauth)

    assert [(one.status_code, problem(one.json())) for one in refused] == [(403, "no-longer-a-member")] * 2
    assert (refused_oauth.status_code, refused_oauth.json()["error"]) == (400, "invalid_grant")
    assert (await switch(client, tom.refresh_token, team.owner.workspace_id)).status_code == 404
    home = await _home(client, tom, world)
    assert await here(client, (await switched(client, tom, home)).access_token) == (home, "OWNER")


async def test_the_persons_trail_tells_of_a_switch(client: AsyncClient, world: World) -> None:
    ada = await a_person(client)
    made = await create(client, ada)
    await switched(client, ada, made)
    await world.settled("auth")

    rows = await world.fetch("SELECT tenant_id, reason FROM auth.audit_entry WHERE act = 'session.switched'")

    assert [(str(row[0]), row[1]) for row in rows] == [(ada.workspace_id, f"to workspace {made}")]


async def _home(client: AsyncClient, person: Person, world: World) -> str:
    rows = await world.fetch('SELECT default_workspace_id FROM auth."user" WHERE id = $1', person.user_id)
    return str(rows[0][0])
