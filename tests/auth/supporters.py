"""Who helps and who sells in tests? Staff and resellers, owners who let them in, and people whom they brought."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from httpx2 import AsyncClient, Response

from services.auth.model import SCOPES_OF_ROLE, PlatformRole
from services.auth.repository import users
from tests.auth.builders import Forger, Person, a_person, private_key
from tests.world import Running, World


async def change_role(auth: Running, person: Person, role: PlatformRole) -> None:
    """Make somebody something else to the installation, as whoever may does."""
    async with auth.db.work() as tx:
        user = await users.lock_user(tx, UUID(person.user_id))
        tx.publish(user, *user.change_role(role, tx.now))


async def as_role(world: World, person: Person, role: PlatformRole, **claims: object) -> Person:
    """The person with a token as a session with a second factor gets it."""
    forger = Forger(person, await private_key(world))
    scope = " ".join(sorted(SCOPES_OF_ROLE[role]))
    return replace(person, access_token=forger.token(scope=scope, amr=["otp", "pwd"], **claims))


async def staff_member(
    client: AsyncClient, auth: Running, world: World, *, name: str = "help", role: PlatformRole = PlatformRole.SUPPORT
) -> Person:
    """Somebody of the staff, or a reseller."""
    person = await a_person(client, email=f"{name}@staff.example")
    await change_role(auth, person, role)
    return await as_role(world, person, role)


def soon(**time: float) -> str:
    """A moment from now on, as clients write it."""
    return (datetime.now(UTC) + timedelta(**(time or {"hours": 1}))).isoformat()


async def let_in(client: AsyncClient, owner: Person, **said: object) -> Response:
    """Let support into the owner's workspace."""
    body = {"reason": "My last order hangs.", "expires_at": soon()} | said
    return await client.post("/v1/support-grants", json=body, headers=owner.bearer)


async def a_grant(client: AsyncClient, owner: Person, **said: object) -> str:
    """The id of a grant that the owner has just given."""
    answer = await let_in(client, owner, **said)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def enter(client: AsyncClient, staff: Person, owner: Person, **said: object) -> Response:
    """Let staff come into an owner's workspace."""
    path = f"/v1/support/workspaces/{owner.workspace_id}/tokens"
    return await client.post(path, json=said, headers=staff.bearer)


async def a_visit(client: AsyncClient, staff: Person, owner: Person, **said: object) -> str:
    """The access token of a visit."""
    answer = await enter(client, staff, owner, **said)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


async def open_to(client: AsyncClient, staff: Person) -> list[str]:
    """The grants by which somebody may come in anywhere now."""
    answer = await client.get("/v1/support/workspaces", headers=staff.bearer)
    assert answer.status_code == 200, answer.text
    return [item["grant_id"] for item in answer.json()["items"]]


async def a_code(client: AsyncClient, reseller: Person) -> dict[str, str]:
    """A new referral code, as its giver sees it."""
    answer = await client.post("/v1/referral-codes", headers=reseller.bearer)
    assert answer.status_code == 201, answer.text
    made: dict[str, str] = answer.json()
    return made


async def customers_of(client: AsyncClient, reseller: Person, **query: str) -> list[dict[str, object]]:
    """Whom somebody brought, as they see them."""
    answer = await client.get("/v1/customers", params=query, headers=reseller.bearer)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, object]] = answer.json()["items"]
    return items
