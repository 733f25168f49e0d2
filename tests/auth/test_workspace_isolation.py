"""What does somebody see who is asked for by `app.user_id`? What is their own, to read, and nothing to change."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest
from httpx2 import AsyncClient

from libs.kit.ids import uuid7
from tests.auth.builders import Person, a_newcomer, a_person
from tests.auth.teams import a_team, a_verified_person, create, invited
from tests.world import World

Rows = set[str]


@pytest.fixture
async def api(world: World) -> AsyncIterator[asyncpg.Connection]:
    """A connection with the role of the API, as if somebody had found a way to run their own statements."""
    connection = await asyncpg.connect(world.settings.database_url.get_secret_value())
    await connection.execute("SET ROLE auth_api")
    yield connection
    await connection.close()


async def seen(api: asyncpg.Connection, statement: str, user_id: str = "", tenant_id: str = "") -> Rows:
    """The first column of what a transaction finds for a person and a workspace."""
    async with api.transaction():
        await api.execute("SELECT set_config('app.user_id', $1, true)", user_id)
        await api.execute("SELECT set_config('app.tenant_id', $1, true)", tenant_id)
        return {str(row[0]) for row in await api.fetch(statement)}


WORKSPACES, MEMBERSHIPS = "SELECT id FROM auth.workspace", "SELECT tenant_id FROM auth.membership"
INVITATIONS = "SELECT email FROM auth.invitation"


@pytest.fixture
async def ada(client: AsyncClient) -> Person:
    return await a_person(client)


async def test_a_person_reads_their_own_workspaces_and_nobody_elses(
    client: AsyncClient, api: asyncpg.Connection, ada: Person
) -> None:
    bob = await a_person(client, email="bob@example.com")
    made = await create(client, ada)

    for statement in (WORKSPACES, MEMBERSHIPS):
        assert await seen(api, statement, ada.user_id) == {ada.workspace_id, made}
        assert await seen(api, statement, bob.user_id) == {bob.workspace_id}
        assert await seen(api, statement, str(uuid7())) == await seen(api, statement) == set()
        assert await seen(api, statement, "", bob.workspace_id) == {bob.workspace_id}


async def test_a_person_reads_their_own_sessions_wherever_they_act_and_nobody_elses(
    client: AsyncClient, api: asyncpg.Connection, ada: Person
) -> None:
    bob = await a_person(client, email="bob@example.com")
    sessions = "SELECT id FROM auth.session"

    assert await seen(api, sessions, ada.user_id) == {ada.session_id}
    assert await seen(api, sessions, bob.user_id, str(uuid7())) == {bob.session_id}
    assert await seen(api, sessions, str(uuid7())) == await seen(api, sessions) == set()


async def test_invitations_are_read_by_whoever_has_proved_the_address_and_by_the_workspace(
    client: AsyncClient, world: World, api: asyncpg.Connection
) -> None:
    team = await a_team(client, world)
    bob = await a_newcomer(client, email="bob@example.com")
    carol = await a_verified_person(client, world, "carol@example.com")
    eve = await a_verified_person(client, world, "eve@example.com")
    for email in ("bob@example.com", "carol@example.com"):
        await invited(client, world, team.owner, email)

    assert await seen(api, INVITATIONS, carol.user_id) == {"carol@example.com"}
    assert await seen(api, INVITATIONS, bob.user_id) == set(), "the database knows that the address is not proved"
    assert await seen(api, INVITATIONS, eve.user_id) == await seen(api, INVITATIONS) == set()
    both = {"bob@example.com", "carol@example.com"}
    assert await seen(api, INVITATIONS, "", team.owner.workspace_id) == both
    await world.fetch('UPDATE auth."user" SET is_active = false WHERE id = $1', UUID(carol.user_id))
    assert await seen(api, INVITATIONS, carol.user_id) == set()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE auth.membership SET role = 'OWNER' RETURNING role",
        "DELETE FROM auth.membership RETURNING role",
        "UPDATE auth.workspace SET name = 'mine' RETURNING name",
        "UPDATE auth.invitation SET role = 'TRADER' RETURNING role",
        "UPDATE auth.session SET expires_at = 'infinity' RETURNING id",
    ],
)
async def test_what_a_person_may_read_elsewhere_they_may_not_change(
    client: AsyncClient, world: World, api: asyncpg.Connection, statement: str
) -> None:
    team = await a_team(client, world)
    carol = await a_verified_person(client, world, "carol@example.com")
    await invited(client, world, team.owner, "carol@example.com")

    assert await seen(api, statement, carol.user_id) == set()
    assert await seen(api, statement, team.owner.user_id) == set()


async def test_nobody_makes_themselves_a_member_from_another_workspace(
    client: AsyncClient, api: asyncpg.Connection, ada: Person
) -> None:
    eve = await a_person(client, email="eve@example.com")
    joining = f"INSERT INTO auth.membership (tenant_id, user_id, role) VALUES ('{ada.workspace_id}', '{eve.user_id}', 'TRADER')"

    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await seen(api, joining, eve.user_id, eve.workspace_id)
