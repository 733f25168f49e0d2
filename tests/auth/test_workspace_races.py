"""What if they do it at the same time? One order of locks, one owner, one answer to each invitation."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from httpx2 import AsyncClient, Response

from libs.schema.workspaces import MemberAdded, OwnershipTransferred
from tests.auth.builders import Person
from tests.auth.teams import Team, a_team, a_verified_person, accept, invite, invited, roles_in
from tests.world import World

ROUNDS = 4


@pytest.fixture
async def team(client: AsyncClient, world: World) -> Team:
    return await a_team(client, world, bob="TRADER", carol="TRADER")


async def transfer(client: AsyncClient, owner: Person, to: Person) -> Response:
    path = f"/v1/workspaces/{owner.workspace_id}/transfer"
    return await client.post(path, json={"user_id": to.user_id}, headers=owner.bearer)


async def remove(client: AsyncClient, by: Person, member: Person) -> Response:
    return await client.delete(f"/v1/workspaces/{by.workspace_id}/members/{member.user_id}", headers=by.bearer)


async def owners(world: World, workspace_id: str) -> list[str]:
    rows = await world.fetch(
        "SELECT m.user_id, w.owner_id FROM auth.membership m JOIN auth.workspace w ON w.id = m.tenant_id "
        "WHERE m.tenant_id = $1 AND m.role = 'OWNER'",
        workspace_id,
    )
    assert all(row[0] == row[1] for row in rows), "the workspace and the membership name the same owner"
    return [str(row[0]) for row in rows]


async def test_of_transfers_to_several_at_once_one_wins(client: AsyncClient, world: World, team: Team) -> None:
    heirs = list(team.members.values())

    answers = await asyncio.gather(*(transfer(client, team.owner, heir) for heir in heirs * ROUNDS))

    won = [heir for answer, heir in zip(answers, heirs * ROUNDS, strict=True) if answer.status_code == 200]
    lost = Counter(answer.status_code for answer in answers if answer.status_code != 200)
    assert len(won) == 1
    # Whoever comes later is no owner any more, or the token that said so is refused already.
    assert set(lost) <= {401, 403}
    assert await owners(world, team.owner.workspace_id) == [won[0].user_id]
    await world.expect(OwnershipTransferred, 1)


async def test_a_transfer_against_the_heirs_removal_leaves_one_owner_who_is_there(
    client: AsyncClient, world: World, team: Team
) -> None:
    bob = team.members["bob@example.com"]

    given, removed, left = await asyncio.gather(
        transfer(client, team.owner, bob), remove(client, team.owner, bob), remove(client, bob, bob)
    )

    statuses = (given.status_code, removed.status_code, left.status_code)
    assert statuses in {(200, 403, 409), (200, 409, 409), (404, 204, 404), (404, 404, 204)}
    kept = bob if given.status_code == 200 else team.owner
    assert await owners(world, team.owner.workspace_id) == [kept.user_id]


async def test_accepting_against_revoking_has_one_outcome(client: AsyncClient, world: World, team: Team) -> None:
    dave = await a_verified_person(client, world, "dave@example.com")
    token = await invited(client, world, team.owner, "dave@example.com")
    path = f"/v1/workspaces/{team.owner.workspace_id}/invitations"
    (waiting,) = (await client.get(path, headers=team.owner.bearer)).json()["items"]

    accepted, revoked = await asyncio.gather(
        accept(client, dave, token), client.delete(f"{path}/{waiting['id']}", headers=team.owner.bearer)
    )

    assert (accepted.status_code, revoked.status_code) in {(200, 404), (409, 204)}
    assert (dave.user_id in await roles_in(client, team.owner)) == (accepted.status_code == 200)


async def test_of_invitations_to_one_address_at_once_one_waits(client: AsyncClient, world: World, team: Team) -> None:
    answers = await asyncio.gather(*(invite(client, team.owner, "dave@example.com") for _ in range(8)))

    # No more than five mails an hour of one kind go to an address, whoever asks for them.
    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [429] * 3
    rows = await world.fetch("SELECT state, count(*) FROM auth.invitation WHERE email_key LIKE 'dave%' GROUP BY state")
    assert {row[0]: row[1] for row in rows} == {"PENDING": 1, "REPLACED": 4}


async def test_everything_at_once_ends_with_one_owner_and_no_error(
    client: AsyncClient, world: World, team: Team
) -> None:
    dave = await a_verified_person(client, world, "dave@example.com")
    token = await invited(client, world, team.owner, "dave@example.com")
    bob, carol = team.members.values()
    role = f"/v1/workspaces/{team.owner.workspace_id}/members/{carol.user_id}/role"

    answers = await asyncio.gather(
        *(transfer(client, team.owner, heir) for heir in (bob, carol)),
        *(accept(client, dave, token) for _ in range(4)),
        *(remove(client, team.owner, carol) for _ in range(2)),
        *(client.put(role, json={"role": one}, headers=team.owner.bearer) for one in ("VIEWER", "ANALYST")),
        remove(client, bob, bob),
    )

    assert {answer.status_code for answer in answers} <= {200, 204, 401, 403, 404, 409}
    assert len(await owners(world, team.owner.workspace_id)) == 1
    await world.settled("auth")
    assert len([one for one in world.published(MemberAdded) if str(one.event.user_id) == dave.user_id]) <= 1
