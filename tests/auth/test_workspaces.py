"""Workspaces: people make them, see which ones they are in, and their owners care for them."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest
from httpx2 import AsyncClient

from libs.kit.ids import uuid7
from libs.schema.audit import SecurityActed
from libs.schema.workspaces import (
    OwnershipTransferred,
    WorkspaceCreated,
    WorkspacePolicyChanged,
    WorkspaceRenamed,
)
from services.auth.queries.workspaces import owned_beyond_home
from tests.auth.builders import Forger, Person, a_person, bearer, private_key
from tests.auth.teams import Team, a_team, create, roles_in, switched
from tests.world import Running, World


async def mine(client: AsyncClient, person: Person) -> dict[str, str]:
    """What the person is where."""
    items = (await client.get("/v1/workspaces", headers=person.bearer)).json()["items"]
    return {one["id"]: one["role"] for one in items}


async def acts(world: World, workspace_id: str) -> list[tuple[str, str]]:
    """What was told in a workspace's trail, and to what it was done."""
    await world.settled("auth")
    told = [one.event for one in world.published(SecurityActed)]
    return [(one.act, one.target_id) for one in told if one.workspace_id == UUID(workspace_id)]


async def test_a_person_sees_their_own_workspace_and_those_that_they_make(client: AsyncClient, world: World) -> None:
    ada = await a_person(client)
    bob = await a_person(client, email="bob@example.com")

    made = await create(client, ada, "Research")

    assert await mine(client, ada) == {made: "OWNER", ada.workspace_id: "OWNER"}
    assert await mine(client, bob) == {bob.workspace_id: "OWNER"}
    (told,) = await world.expect(WorkspaceCreated, 1)
    assert told.tenant_id == told.event.workspace_id == UUID(made)
    assert (told.event.owner_id, told.event.name) == (UUID(ada.user_id), "Research")
    assert await acts(world, made) == [("workspace.created", made)]


async def test_a_list_of_workspaces_comes_in_pages(client: AsyncClient) -> None:
    ada = await a_person(client)
    made = [await create(client, ada, f"W{n}") for n in range(4)]
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/v1/workspaces", params=query, headers=ada.bearer)).json()
        seen, cursor = [*seen, *(one["id"] for one in page["items"])], page["next_cursor"]

    assert seen == [*reversed(made), ada.workspace_id]


async def test_nobody_owns_more_workspaces_than_the_installation_bears(world: World) -> None:
    async with world.running("auth", auth_workspaces_per_person=3) as auth:
        client = await auth.anonymous()
        ada = await a_person(client)

        answers = await asyncio.gather(
            *(client.post("/v1/workspaces", json={"name": f"W{n}"}, headers=ada.bearer) for n in range(8))
        )

        assert Counter(answer.status_code for answer in answers) == {201: 2, 403: 6}
        assert len(await mine(client, ada)) == 3


@pytest.mark.parametrize("path", ["", "/members", "/invitations"])
async def test_a_workspace_that_the_token_is_not_for_is_not_there(client: AsyncClient, path: str) -> None:
    ada = await a_person(client)
    other = await create(client, ada)
    bob = await a_person(client, email="bob@example.com")

    for workspace_id in (other, bob.workspace_id, str(uuid7())):
        answer = await client.get(f"/v1/workspaces/{workspace_id}{path}", headers=ada.bearer)
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:fillstream:problem:not-found")


async def test_an_owner_renames_a_workspace(client: AsyncClient, world: World) -> None:
    ada = await a_person(client)
    path = f"/v1/workspaces/{ada.workspace_id}"

    answer = await client.patch(path, json={"name": "Desk"}, headers=ada.bearer)
    again = await client.patch(path, json={"name": "Desk"}, headers=ada.bearer)

    assert (answer.status_code, answer.json()["name"]) == (again.status_code, again.json()["name"]) == (200, "Desk")
    (told,) = await world.expect(WorkspaceRenamed, 1)
    assert told.event.name == "Desk"


async def test_an_owner_asks_members_for_a_second_factor(client: AsyncClient, world: World) -> None:
    ada = await a_person(client)
    path = f"/v1/workspaces/{ada.workspace_id}"

    answer = await client.patch(path, json={"second_factor_required": True}, headers=ada.bearer)

    assert answer.json()["second_factor_required"] is True
    (told,) = await world.expect(WorkspacePolicyChanged, 1)
    assert told.event.second_factor_required is True
    assert ("workspace.policy_changed", ada.workspace_id) in await acts(world, ada.workspace_id)


async def test_what_is_dangerous_takes_a_person_who_has_just_shown_who_they_are(
    client: AsyncClient, world: World
) -> None:
    ada = await a_person(client)
    forger, path = Forger(ada, await private_key(world)), f"/v1/workspaces/{ada.workspace_id}"
    long_ago = int(forger.claims()["auth_time"]) - int(timedelta(minutes=16).total_seconds())  # type: ignore[call-overload]
    stale = bearer(forger.token(scope="workspace:write", auth_time=long_ago))
    program = bearer(forger.token(scope="workspace:write", client_id=str(uuid7())))

    renamed = await client.patch(path, json={"name": "Desk"}, headers=stale)
    given = await client.post(f"{path}/transfer", json={"user_id": str(uuid7())}, headers=stale)
    by_program = await client.patch(path, json={"name": "Desk"}, headers=program)

    assert [renamed.status_code, given.status_code, by_program.status_code] == [401, 401, 403]
    assert renamed.json()["type"] == "urn:fillstream:problem:step-up-required"
    assert 'max_age="900"' in renamed.headers["www-authenticate"]


async def transfer(client: AsyncClient, team: Team, to: Person) -> int:
    answer = await client.post(f"{team.path}/transfer", json={"user_id": to.user_id}, headers=team.owner.bearer)
    return answer.status_code


async def test_a_transferred_workspace_has_another_owner_and_the_old_one_trades(
    client: AsyncClient, world: World
) -> None:
    team = await a_team(client, world, bob="VIEWER")
    bob = team.members["bob@example.com"]

    assert await transfer(client, team, bob) == 200

    assert await roles_in(client, bob) == {team.owner.user_id: "TRADER", bob.user_id: "OWNER"}
    (told,) = await world.expect(OwnershipTransferred, 1)
    assert (told.event.owner_id, told.event.previous_owner_id) == (UUID(bob.user_id), UUID(team.owner.user_id))
    assert ("workspace.transferred", bob.user_id) in await acts(world, bob.workspace_id)
    assert await transfer(client, team, bob) in {401, 403}, "the old owner's token does not give it away again"


async def test_a_personal_workspace_stays_its_persons(client: AsyncClient, world: World) -> None:
    team = await a_team(client, world, bob="VIEWER")
    bob = team.members["bob@example.com"]
    home = await switched(client, team.owner, await _home_of(client, world, team.owner))
    await world.fetch(
        "INSERT INTO auth.membership (tenant_id, user_id, role) VALUES ($1, $2, 'TRADER')",
        UUID(home.workspace_id), UUID(bob.user_id),
    )  # fmt: skip
    path = f"/v1/workspaces/{home.workspace_id}"

    given = await client.post(f"{path}/transfer", json={"user_id": bob.user_id}, headers=home.bearer)
    left = await client.delete(f"{path}/members/{home.user_id}", headers=home.bearer)

    assert (given.status_code, given.json()["type"]) == (409, "urn:fillstream:problem:personal-workspace")
    assert (left.status_code, left.json()["type"]) == (409, "urn:fillstream:problem:owner-stays")


async def _home_of(client: AsyncClient, world: World, person: Person) -> str:
    [row] = await world.fetch('SELECT default_workspace_id FROM auth."user" WHERE id = $1', UUID(person.user_id))
    return str(row[0])


async def test_a_workspace_goes_to_nobody_but_a_member(client: AsyncClient, world: World) -> None:
    team = await a_team(client, world)
    stranger = await a_person(client, email="eve@example.com")

    assert await transfer(client, team, stranger) == 404
    assert await transfer(client, team, Person(str(uuid7()), "", "", "")) == 404
    assert await transfer(client, team, team.owner) == 409
    assert await roles_in(client, team.owner) == {team.owner.user_id: "OWNER"}


async def test_what_a_person_owns_beside_their_home_is_known(auth: Running, client: AsyncClient, world: World) -> None:
    team = await a_team(client, world, bob="VIEWER")
    bob = team.members["bob@example.com"]
    homes = {person.user_id: UUID(await _home_of(client, world, person)) for person in (team.owner, bob)}

    async with auth.db.public() as tx:
        owned = await owned_beyond_home(tx, UUID(team.owner.user_id), homes[team.owner.user_id])
        none = await owned_beyond_home(tx, UUID(bob.user_id), homes[bob.user_id])

    assert (list(owned), list(none)) == ([UUID(team.owner.workspace_id)], [])
