"""Invitations: good for one address that is proved, once, for a while; nobody else learns anything."""

from __future__ import annotations

import asyncio
from collections import Counter
from uuid import UUID

import pytest
from httpx2 import AsyncClient, Response

from libs.schema.audit import ActResult, SecurityActed
from libs.schema.auth import MailRequested, MailTemplate
from libs.schema.workspaces import MemberAdded
from tests.auth.builders import Person, a_newcomer, a_person, mails, ticket
from tests.auth.teams import (
    Team,
    a_team,
    a_verified_person,
    accept,
    invite,
    invited,
    join,
    mail_to,
    roles_in,
    switched,
)
from tests.world import World

BOB = "bob@example.com"


def problem(answer: Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


async def sent(client: AsyncClient, owner: Person) -> list[dict[str, str]]:
    """What the workspace waits for."""
    path = f"/v1/workspaces/{owner.workspace_id}/invitations"
    items: list[dict[str, str]] = (await client.get(path, headers=owner.bearer)).json()["items"]
    return items


async def received(client: AsyncClient, person: Person) -> list[dict[str, str]]:
    items: list[dict[str, str]] = (await client.get("/v1/invitations", headers=person.bearer)).json()["items"]
    return items


@pytest.fixture
async def team(client: AsyncClient, world: World) -> Team:
    return await a_team(client, world)


async def test_whoever_accepts_is_a_member_in_the_role_that_was_offered(
    client: AsyncClient, world: World, team: Team
) -> None:
    bob = await a_verified_person(client, world, BOB)
    token = await invited(client, world, team.owner, "BOB@example.com".lower(), "ANALYST")
    (waiting,) = await sent(client, team.owner)
    assert (waiting["email"], waiting["role"]) == (BOB, "ANALYST")

    answer = await accept(client, bob, token)

    assert (answer.status_code, answer.json()["role"]) == (200, "ANALYST")
    assert await roles_in(client, team.owner) == {team.owner.user_id: "OWNER", bob.user_id: "ANALYST"}
    assert await sent(client, team.owner) == await received(client, bob) == []
    (told,) = await world.expect(MemberAdded, 1)
    assert (told.event.user_id, told.event.workspace_id) == (UUID(bob.user_id), UUID(team.owner.workspace_id))


async def test_the_mail_names_the_workspace_and_the_event_no_secret(
    client: AsyncClient, world: World, team: Team
) -> None:
    token = await invited(client, world, team.owner, BOB)

    mail = await mail_to(world, BOB, MailTemplate.INVITATION)
    rows = await world.fetch("SELECT t::text FROM auth.invitation t")

    assert (mail.workspace_name, mail.user_id) == ("Research", UUID(team.owner.user_id))
    secret = token.partition(".")[2]
    assert secret not in mail.model_dump_json()
    assert secret not in rows[0][0]


async def test_an_invitation_for_another_address_is_a_token_that_does_not_work(
    client: AsyncClient, world: World, team: Team
) -> None:
    eve = await a_verified_person(client, world, "eve@example.com")
    token = await invited(client, world, team.owner, BOB)

    stolen, made_up = await accept(client, eve, token), await accept(client, eve, f"{team.owner.workspace_id}.x")

    assert problem(stolen) == problem(made_up) == (422, "token-spent")
    assert stolen.json() == made_up.json()
    assert await roles_in(client, team.owner) == {team.owner.user_id: "OWNER"}
    assert await received(client, eve) == []
    await world.settled("auth")
    refused = [one.event for one in world.published(SecurityActed) if one.event.result is ActResult.REFUSED]
    assert [(one.act, one.actor_id) for one in refused] == [("member.added", UUID(eve.user_id))]
    bob = await a_verified_person(client, world, BOB)
    assert (await accept(client, bob, token)).status_code == 200, "it waits for whom it is for"


async def test_an_address_that_is_not_proved_accepts_nothing_and_sees_nothing(
    client: AsyncClient, world: World, team: Team
) -> None:
    bob = await a_newcomer(client, email=BOB)
    token = await invited(client, world, team.owner, BOB)
    (waiting,) = await sent(client, team.owner)

    assert problem(await accept(client, bob, token)) == (403, "email-unverified")
    assert await received(client, bob) == []
    declined = await client.post(f"/v1/invitations/{waiting['id']}/decline", headers=bob.bearer)
    assert declined.status_code == 404
    assert await roles_in(client, team.owner) == {team.owner.user_id: "OWNER"}


async def test_an_expired_invitation_works_no_more(client: AsyncClient, world: World, team: Team) -> None:
    bob = await a_verified_person(client, world, BOB)
    token = await invited(client, world, team.owner, BOB)
    await world.fetch("UPDATE auth.invitation SET expires_at = now() - interval '1 second'")

    assert problem(await accept(client, bob, token)) == (409, "invitation-expired")
    assert await sent(client, team.owner) == await received(client, bob) == []


async def test_a_reused_invitation_works_no_more(client: AsyncClient, world: World, team: Team) -> None:
    bob = await a_verified_person(client, world, BOB)
    token = await invited(client, world, team.owner, BOB)
    assert (await accept(client, bob, token)).status_code == 200
    path = f"{team.path}/members/{bob.user_id}"
    assert (await client.delete(path, headers=team.owner.bearer)).status_code == 204

    assert problem(await accept(client, bob, token)) == (409, "invitation-used")
    assert await roles_in(client, team.owner) == {team.owner.user_id: "OWNER"}


async def test_a_revoked_invitation_works_no_more(client: AsyncClient, world: World, team: Team) -> None:
    bob = await a_verified_person(client, world, BOB)
    token = await invited(client, world, team.owner, BOB)
    (waiting,) = await sent(client, team.owner)
    path = f"{team.path}/invitations/{waiting['id']}"

    revoked = [(await client.delete(path, headers=team.owner.bearer)).status_code for _ in range(2)]

    assert revoked == [204, 404]
    assert problem(await accept(client, bob, token)) == (409, "invitation-revoked")


async def test_a_second_invitation_to_an_address_replaces_the_first(
    client: AsyncClient, world: World, team: Team
) -> None:
    bob = await a_verified_person(client, world, BOB)
    first = await invited(client, world, team.owner, BOB, "VIEWER")
    second = await invited(client, world, team.owner, BOB, "TRADER")

    assert len(await sent(client, team.owner)) == 1
    assert problem(await accept(client, bob, first)) == (409, "invitation-revoked")
    assert (await accept(client, bob, second)).json()["role"] == "TRADER"


async def test_twenty_who_accept_at_once_are_one_member(client: AsyncClient, world: World, team: Team) -> None:
    bob = await a_verified_person(client, world, BOB)
    token = await invited(client, world, team.owner, BOB)

    answers = await asyncio.gather(*(accept(client, bob, token) for _ in range(20)))

    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 19}
    await world.expect(MemberAdded, 1)


async def test_whoever_is_invited_sees_it_and_declines(client: AsyncClient, world: World, team: Team) -> None:
    bob = await a_verified_person(client, world, BOB)
    eve = await a_verified_person(client, world, "eve@example.com")
    token = await invited(client, world, team.owner, BOB)
    (seen,) = await received(client, bob)
    path = f"/v1/invitations/{seen['id']}/decline"

    assert (seen["workspace_id"], seen["workspace_name"]) == (team.owner.workspace_id, "Research")
    assert (await client.post(path, headers=eve.bearer)).status_code == 404
    assert [(await client.post(path, headers=bob.bearer)).status_code for _ in range(2)] == [204, 404]
    assert problem(await accept(client, bob, token)) == (409, "invitation-used")


async def test_a_member_is_not_invited_again(client: AsyncClient, world: World, team: Team) -> None:
    await join(client, world, team.owner, BOB)

    assert problem(await invite(client, team.owner, BOB.upper())) == (409, "already-a-member")
    assert problem(await invite(client, team.owner, "olga@example.com")) == (409, "already-a-member")


async def test_nobody_is_invited_to_own_a_workspace(client: AsyncClient, team: Team) -> None:
    assert (await invite(client, team.owner, BOB, "OWNER")).status_code == 422


async def test_nobody_but_the_owner_invites_revokes_or_sees_who_is_invited(
    client: AsyncClient, world: World, team: Team
) -> None:
    tom = await join(client, world, team.owner, "tom@example.com", "TRADER")
    await invited(client, world, team.owner, BOB)
    (waiting,) = await sent(client, team.owner)
    path = f"{team.path}/invitations"

    asked = [
        await invite(client, tom, "eve@example.com"), await client.get(path, headers=tom.bearer),
        await client.delete(f"{path}/{waiting['id']}", headers=tom.bearer),
    ]  # fmt: skip

    assert [problem(one) for one in asked] == [(403, "missing-scope")] * 3


async def test_an_invitation_of_one_workspace_is_not_there_for_another(
    client: AsyncClient, world: World, team: Team
) -> None:
    eve = await a_verified_person(client, world, "eve@example.com")
    token = await invited(client, world, team.owner, BOB)
    (waiting,) = await sent(client, team.owner)

    revoked = await client.delete(f"/v1/workspaces/{eve.workspace_id}/invitations/{waiting['id']}", headers=eve.bearer)
    bob = await a_verified_person(client, world, BOB)
    moved = await accept(client, bob, f"{eve.workspace_id}.{token.partition('.')[2]}")

    assert (revoked.status_code, problem(moved)) == (404, (422, "token-spent"))
    assert len(await sent(client, team.owner)) == 1


async def test_people_are_invited_to_a_personal_workspace_too(client: AsyncClient, world: World) -> None:
    ada = await a_verified_person(client, world, "ada@example.com")

    bob = await join(client, world, ada, BOB, "VIEWER")

    assert bob.workspace_id == ada.workspace_id


async def test_limits_of_waiting_invitations_and_of_mails(world: World) -> None:
    async with world.running("auth", auth_pending_invitations=2, auth_invitations_per_hour=5) as auth:
        client = await auth.anonymous()
        team = await a_team(client, world)

        answers = [await invite(client, team.owner, f"p{n}@example.com") for n in range(4)]
        again = await invite(client, team.owner, "p0@example.com")
        late = await invite(client, team.owner, "p0@example.com")

        assert [answer.status_code for answer in answers] == [201, 201, 403, 403]
        assert problem(answers[2]) == (403, "too-many-invitations")
        assert (again.status_code, late.status_code) == (201, 429), "one that replaces another needs no room"
        assert len(await mails(world, MailTemplate.INVITATION, 3)) == 3


async def test_a_token_of_another_mail_is_no_invitation(client: AsyncClient, world: World) -> None:
    bob = await a_person(client, email=BOB)
    proof = ticket(await mail_to(world, BOB, MailTemplate.VERIFY_EMAIL))

    assert problem(await accept(client, bob, proof)) == (422, "token-spent")
    assert [one for one in world.published(MailRequested) if one.event.template == MailTemplate.INVITATION] == []


async def test_whoever_registers_after_they_were_invited_joins(client: AsyncClient, world: World, team: Team) -> None:
    token = await invited(client, world, team.owner, BOB)
    bob = await a_verified_person(client, world, BOB)

    assert (await accept(client, bob, token)).status_code == 200
    assert (await switched(client, bob, team.owner.workspace_id)).workspace_id == team.owner.workspace_id
