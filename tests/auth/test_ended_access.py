"""What outlives a session, a membership or a password ends with it: keys, visits, and what its token could still do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from httpx2 import AsyncClient

from libs.kit.http.app import _database
from libs.schema.audit import SecurityActed
from libs.schema.auth import AccessRevoked, ApiKeyRevoked, MailTemplate, PasswordChange, PasswordChanged
from services.auth import api
from tests.auth.builders import PASSWORD, Forger, Person, a_person, again, bearer, mails, private_key, ticket
from tests.auth.programs import a_key, a_member, ask_for_key, exchange
from tests.auth.supporters import a_grant, a_visit, staff_member
from tests.auth.teams import Team, a_team, accept, invited, switched
from tests.world import Running, World, eventually

NEW = "nine purple llamas sing at dawn"


@pytest.fixture
async def ada(client: AsyncClient) -> Person:
    return await a_person(client)


async def reset(client: AsyncClient, world: World) -> None:
    """Let Ada, who forgot her password, choose another one."""
    assert (await client.post("/v1/auth/password-reset", json={"email": "ada@example.com"})).status_code == 202
    (mail,) = await mails(world, MailTemplate.RESET_PASSWORD)
    answer = await client.put("/v1/auth/password-reset", json={"token": ticket(mail), "new_password": NEW})
    assert answer.status_code == 204, answer.text
    await world.settled("auth")


async def change_password(client: AsyncClient, person: Person) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert (await client.put("/v1/me/password", json=body, headers=person.bearer)).status_code == 204


async def status(client: AsyncClient, token: str) -> int:
    """What a guest hears: 403 for what guests may not, or 401 once the token is over."""
    return (await client.get("/v1/audit", headers=bearer(token))).status_code


async def is_over(client: AsyncClient, token: str) -> None:
    async def refused() -> None:
        assert await status(client, token) == 401

    await eventually(refused)


async def test_a_reset_revokes_every_key_of_the_person_wherever_it_is_for_and_nobody_elses(
    client: AsyncClient, world: World, ada: Person
) -> None:
    bob = await a_person(client, email="bob@example.com")
    at_bobs = await a_member(world, ada, bob.workspace_id, "TRADER")
    lost = [await a_key(client, ada), await a_key(client, at_bobs)]
    kept = await a_key(client, bob)

    await reset(client, world)

    assert [(await exchange(client, key)).status_code for key in lost] == [400, 400]
    assert (await exchange(client, kept)).status_code == 200
    told = {str(one.event.key_id): one for one in await world.expect(ApiKeyRevoked, 2)}
    (cause,) = await world.expect(PasswordChanged, 1)
    assert set(told) == {key.id for key in lost}
    assert {one.cause.causation_id for one in told.values()} == {cause.id}
    ended = {str(one.event.session_id) for one in world.published(AccessRevoked)}
    assert ended >= {key.id for key in lost}
    acts = [one.event for one in world.published(SecurityActed) if one.event.act == "api_key.revoked"]
    assert {(str(act.workspace_id), act.actor_kind, act.target_id) for act in acts} == {
        (ada.workspace_id, "SYSTEM", lost[0].id), (bob.workspace_id, "SYSTEM", lost[1].id),
    }  # fmt: skip


async def test_a_reset_that_is_heard_of_late_leaves_keys_that_were_made_since(
    client: AsyncClient, world: World, ada: Person
) -> None:
    key, home_id, user_id = await a_key(client, ada), UUID(ada.workspace_id), UUID(ada.user_id)
    long_ago = datetime.now(UTC) - timedelta(minutes=5)
    told = PasswordChanged(occurred_at=long_ago, user_id=user_id, workspace_id=home_id, change=PasswordChange.RESET)

    await world.publish(told, tenant_id=home_id)
    await world.settled("auth")

    assert (await exchange(client, key)).status_code == 200


async def test_who_knew_the_password_that_they_changed_keeps_their_keys(
    client: AsyncClient, world: World, ada: Person
) -> None:
    key = await a_key(client, ada)

    await change_password(client, ada)
    await world.settled("auth")

    assert (await exchange(client, key)).status_code == 200


@pytest.fixture
async def team(client: AsyncClient, world: World) -> Team:
    return await a_team(client, world, tom="TRADER")


@pytest.mark.parametrize("how", ["is removed", "leaves", "went before keys ended with memberships"])
async def test_the_keys_of_a_member_who_goes_do_not_wake_up_when_they_come_back(
    client: AsyncClient, world: World, team: Team, how: str
) -> None:
    owner, tom = team.owner, team.members["tom@example.com"]
    key, of_owner = await a_key(client, tom), await a_key(client, owner)
    by = owner if how == "is removed" else tom

    if how.startswith("went"):
        await world.fetch("DELETE FROM auth.membership WHERE user_id = $1 AND role = 'TRADER'", UUID(tom.user_id))
    else:
        gone = await client.delete(f"{team.path}/members/{tom.user_id}", headers=by.bearer)
        assert gone.status_code == 204, gone.text
    again_ = await again(client, tom.user_id, email="tom@example.com")
    token = await invited(client, world, owner, "tom@example.com")
    assert (await accept(client, again_, token)).status_code == 200

    assert (await exchange(client, key)).status_code == 400
    assert (await exchange(client, of_owner)).status_code == 200
    (told,) = await world.expect(ApiKeyRevoked, 1)
    assert (str(told.event.key_id), str(told.event.revoked_by)) == (key.id, by.user_id)
    back = await switched(client, again_, owner.workspace_id)
    assert (await exchange(client, await a_key(client, back))).status_code == 200


async def test_a_key_that_is_made_while_its_person_is_removed_does_not_stay(
    client: AsyncClient, world: World, team: Team
) -> None:
    tom = team.members["tom@example.com"]

    *made, gone = await asyncio.gather(
        *(ask_for_key(client, tom) for _ in range(4)),
        client.delete(f"{team.path}/members/{tom.user_id}", headers=team.owner.bearer),
    )

    assert gone.status_code == 204
    assert {answer.status_code for answer in made} <= {201, 401, 403}
    assert await world.fetch("SELECT id FROM auth.api_key WHERE revoked_at IS NULL") == []


@pytest.fixture
async def helper(client: AsyncClient, auth: Running, world: World) -> Person:
    return await staff_member(client, auth, world)


async def test_a_password_that_staff_change_ends_their_visits_and_leaves_the_session_that_changed_it(
    client: AsyncClient, ada: Person, helper: Person
) -> None:
    await a_grant(client, ada)
    visit = await a_visit(client, helper, ada)
    assert await status(client, visit) == 403

    await change_password(client, helper)

    await is_over(client, visit)
    assert (await client.get("/v1/me", headers=helper.bearer)).status_code == 200
    assert await status(client, await a_visit(client, helper, ada)) == 403


async def test_staff_who_log_out_everywhere_leave_every_workspace_and_nobody_else_does(
    client: AsyncClient, auth: Running, world: World, ada: Person, helper: Person
) -> None:
    other = await staff_member(client, auth, world, name="other")
    await a_grant(client, ada)
    visit, of_other = await a_visit(client, helper, ada), await a_visit(client, other, ada)

    assert (await client.delete("/v1/sessions", headers=helper.bearer)).status_code == 204

    await is_over(client, visit)
    assert await status(client, of_other) == 403


async def test_a_session_that_is_over_does_nothing_dangerous_while_its_revocation_is_under_way(
    client: AsyncClient, world: World, ada: Person
) -> None:
    # What a broker that is away leaves behind: the row is there, and nobody has heard of it.
    await world.fetch("UPDATE auth.session SET ended_at = now(), ended_by = 'REVOKED'")
    assert (await client.get("/v1/me", headers=ada.bearer)).status_code == 200, "the token itself is still taken"

    answers = [
        await ask_for_key(client, ada),
        await client.post("/v1/me/totp", headers=ada.bearer),
        await client.post("/v1/me/passkey-options", headers=ada.bearer),
        await client.post("/v1/me/erasure", headers=ada.bearer),
        await client.patch(f"/v1/workspaces/{ada.workspace_id}", json={"name": "Mine"}, headers=ada.bearer),
    ]

    assert [answer.status_code for answer in answers] == [401] * 5
    for table in ("api_key", "totp", "login_challenge", "erasure"):
        assert await world.fetch(f"SELECT id FROM auth.{table}") == []
    assert (await client.get("/v1/me", headers=ada.bearer)).json()["workspace"]["name"] != "Mine"


async def test_a_session_that_is_nobodys_or_somebody_elses_does_nothing_dangerous(
    client: AsyncClient, world: World, ada: Person
) -> None:
    bob, key = await a_person(client, email="bob@example.com"), await private_key(world)
    scope = "api-keys:write"
    without = Person(ada.user_id, ada.workspace_id, "", "")

    forged = [
        Forger(without, key).token(scope=scope),
        Forger(ada, key).token(scope=scope, sid=bob.session_id),
    ]

    answers = [await ask_for_key(client, Person(ada.user_id, ada.workspace_id, one, "")) for one in forged]
    assert [answer.status_code for answer in answers] == [401, 401]


async def test_a_session_that_ends_while_keys_are_asked_for_makes_none_after_that(
    client: AsyncClient, world: World, ada: Person
) -> None:
    *made, ended = await asyncio.gather(
        *(ask_for_key(client, ada) for _ in range(6)),
        client.delete(f"/v1/sessions/{ada.session_id}", headers=ada.bearer),
    )
    late = await ask_for_key(client, ada)

    assert (ended.status_code, late.status_code) == (204, 401)
    assert {answer.status_code for answer in made} <= {201, 401}
    kept = await world.fetch("SELECT id FROM auth.api_key")
    assert len(kept) == sum(answer.status_code == 201 for answer in made)


def _calls(dependant: Dependant) -> Iterator[object]:
    """All that is called before a route is, and what those functions close over."""
    yield dependant.call
    left = [dependant.call]
    while left:
        cells = getattr(left.pop(), "__closure__", None) or ()
        inner = [cell.cell_contents for cell in cells if callable(cell.cell_contents)]
        yield from inner
        left += inner
    for one in dependant.dependencies:
        yield from _calls(one)


def _called(route: APIRoute) -> set[str]:
    return {getattr(call, "__qualname__", "") for one in route.dependant.dependencies for call in _calls(one)}


def test_every_route_that_takes_a_fresh_session_looks_at_the_session_itself() -> None:
    routes = [route for route in api.router.routes if isinstance(route, APIRoute)]
    demanding = [route for route in routes if {"fresh", "requires_fresh.<locals>.check"} & _called(route)]

    without = [route.path for route in demanding if "_fresh_database" not in _called(route)]
    beside = [route.path for route in demanding if any(d.call is _database for d in route.dependant.dependencies)]

    assert len(demanding) >= 18
    assert (without, beside) == ([], [])
