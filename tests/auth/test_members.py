"""Members: an owner says who is what, members leave, and whoever may do less may do it at once."""

from __future__ import annotations

from uuid import UUID

import pytest
from httpx2 import AsyncClient, Response

from libs.kit.ids import uuid7
from libs.schema.audit import SecurityActed
from libs.schema.auth import AccessRevoked
from libs.schema.event import Envelope
from libs.schema.workspaces import MemberAdded, MemberRemoved, MemberRoleChanged
from tests.auth.builders import Person, bearer, refresh
from tests.auth.teams import Team, a_team, roles_in
from tests.world import World, eventually


async def change(client: AsyncClient, by: Person, member: Person, role: str) -> Response:
    path = f"/v1/workspaces/{by.workspace_id}/members/{member.user_id}/role"
    return await client.put(path, json={"role": role}, headers=by.bearer)


async def remove(client: AsyncClient, by: Person, member: Person) -> Response:
    return await client.delete(f"/v1/workspaces/{by.workspace_id}/members/{member.user_id}", headers=by.bearer)


async def is_refused(client: AsyncClient, person: Person) -> None:
    """Wait until the access token opens nothing."""

    async def refused() -> None:
        assert (await client.get("/v1/me", headers=person.bearer)).status_code == 401

    await eventually(refused)


@pytest.fixture
async def team(client: AsyncClient, world: World) -> Team:
    return await a_team(client, world, tom="TRADER", vera="VIEWER")


@pytest.fixture
def tom(team: Team) -> Person:
    return team.members["tom@example.com"]


@pytest.fixture
def vera(team: Team) -> Person:
    return team.members["vera@example.com"]


async def told_of(world: World, act: str, user_id: str) -> int:
    await world.settled("auth")
    told = [one.event for one in world.published(SecurityActed)]
    return sum((one.act, one.target_id) == (act, user_id) for one in told)


async def test_members_see_each_other(client: AsyncClient, world: World, team: Team, vera: Person) -> None:
    tom = team.members["tom@example.com"]

    assert await roles_in(client, vera) == {
        team.owner.user_id: "OWNER", tom.user_id: "TRADER", vera.user_id: "VIEWER",
    }  # fmt: skip
    assert {one.event.role for one in await world.expect(MemberAdded, 2)} == {"TRADER", "VIEWER"}


async def revoked_in(world: World, team: Team) -> list[Envelope[AccessRevoked]]:
    """What ended in the team's workspace alone; a first proof of an address ends what was before it everywhere."""
    await world.settled("auth")
    here = UUID(team.owner.workspace_id)
    return [one for one in world.published(AccessRevoked) if one.event.workspace_id == here]


async def test_whoever_may_do_less_loses_the_old_token_and_the_next_one_allows_less(
    client: AsyncClient, world: World, team: Team, tom: Person
) -> None:
    answer = await change(client, team.owner, tom, "VIEWER")

    assert (answer.status_code, answer.json()) == (200, {"user_id": tom.user_id, "role": "VIEWER"})
    await is_refused(client, tom)
    (told,) = await world.expect(MemberRoleChanged, 1)
    assert (told.event.previous_role, told.event.role) == ("TRADER", "VIEWER")
    (revoked,) = await revoked_in(world, team)
    assert (revoked.event.user_id, revoked.event.session_id) == (UUID(tom.user_id), None)
    assert revoked.event.workspace_id == UUID(team.owner.workspace_id)
    tokens = (await refresh(client, tom.refresh_token)).json()
    me = (await client.get("/v1/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})).json()
    assert (me["workspace"]["role"], "orders:write" in me["scopes"]) == ("VIEWER", False)
    assert await told_of(world, "member.role_changed", tom.user_id) == 1


async def test_whoever_may_do_more_keeps_their_token(
    client: AsyncClient, world: World, team: Team, vera: Person
) -> None:
    assert (await change(client, team.owner, vera, "TRADER")).status_code == 200

    await world.settled("auth")
    assert await revoked_in(world, team) == []
    assert (await client.get("/v1/me", headers=vera.bearer)).status_code == 200


async def test_a_removed_member_is_shut_out_of_this_workspace_alone(
    client: AsyncClient, world: World, team: Team, tom: Person, vera: Person
) -> None:
    assert (await remove(client, team.owner, tom)).status_code == 204

    await is_refused(client, tom)
    assert (await client.get("/v1/me", headers=vera.bearer)).status_code == 200
    assert tom.user_id not in await roles_in(client, vera)
    (told,) = await world.expect(MemberRemoved, 1)
    assert (told.event.user_id, told.event.previous_role) == (UUID(tom.user_id), "TRADER")
    (revoked,) = await revoked_in(world, team)
    assert revoked.event.workspace_id == UUID(team.owner.workspace_id)
    assert await told_of(world, "member.removed", tom.user_id) == 1


async def test_a_member_leaves_by_themselves(client: AsyncClient, world: World, team: Team, vera: Person) -> None:
    assert (await remove(client, vera, vera)).status_code == 204

    await is_refused(client, vera)
    assert vera.user_id not in await roles_in(client, team.owner)
    await world.expect(MemberRemoved, 1)


async def test_nobody_but_the_owner_changes_or_removes_others(
    client: AsyncClient, team: Team, tom: Person, vera: Person
) -> None:
    answers = [await change(client, tom, vera, "ANALYST"), await remove(client, tom, vera)]

    assert [(one.status_code, one.json()["type"]) for one in answers] == [
        (403, "urn:fillstream:problem:missing-scope")
    ] * 2
    assert (await roles_in(client, team.owner))[vera.user_id] == "VIEWER"


async def test_the_owner_neither_leaves_nor_is_less(client: AsyncClient, team: Team) -> None:
    answers = [await change(client, team.owner, team.owner, "TRADER"), await remove(client, team.owner, team.owner)]

    assert [(one.status_code, one.json()["type"]) for one in answers] == [
        (409, "urn:fillstream:problem:owner-stays")
    ] * 2


async def test_nobody_is_made_an_owner_by_a_role(client: AsyncClient, team: Team, tom: Person) -> None:
    assert (await change(client, team.owner, tom, "OWNER")).status_code == 422
    assert (await change(client, team.owner, tom, "ADMIN")).status_code == 422


async def test_whoever_is_no_member_is_not_there(client: AsyncClient, team: Team) -> None:
    stranger = Person(str(uuid7()), "", "", "")

    answers = [await change(client, team.owner, stranger, "VIEWER"), await remove(client, team.owner, stranger)]

    assert [one.status_code for one in answers] == [404, 404]


async def test_the_database_itself_has_one_owner(world: World, team: Team, tom: Person) -> None:
    with pytest.raises(Exception, match="membership_one_owner"):
        await world.fetch(
            "UPDATE auth.membership SET role = 'OWNER' WHERE user_id = $1 AND role = 'TRADER'", tom.user_id
        )


async def test_a_second_factor_that_is_demanded_is_demanded_at_once(
    client: AsyncClient, team: Team, tom: Person
) -> None:
    demanded = await client.patch(team.path, json={"second_factor_required": True}, headers=team.owner.bearer)
    assert demanded.status_code == 200, demanded.text

    await is_refused(client, tom)
    tokens = (await refresh(client, tom.refresh_token)).json()
    assert (await client.get(f"{team.path}/members", headers=bearer(tokens["access_token"]))).status_code == 403
