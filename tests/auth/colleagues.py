"""Who works for the installation in tests? People with roles, in sessions in which their roles count."""

from __future__ import annotations

from httpx2 import AsyncClient, Response

from services.auth.commands.staff import grant_role
from services.auth.model import PlatformRole
from tests.auth.builders import PASSWORD, Person, a_person
from tests.second_factor import App, asking, enrol, log_in_with
from tests.world import Running

_apps: dict[str, App] = {}
"""What each has in their pocket."""


async def in_office(client: AsyncClient, user_id: str, email: str) -> Person:
    """Somebody who has a role, logged in so that it counts. Whatever that takes is done here alone."""
    ask = asking(client)
    if user_id not in _apps:
        first = await ask("/v1/auth/login", {"email": email, "password": PASSWORD}, "")
        _apps[user_id] = await enrol(ask, first["access_token"])
    tokens = await log_in_with(ask, _apps[user_id], email, PASSWORD)
    return Person(
        user_id, tokens["workspace_id"], tokens["access_token"], tokens["refresh_token"], tokens["session_id"]
    )


async def staff(
    client: AsyncClient, auth: Running, role: PlatformRole = PlatformRole.ADMIN, *, name: str = "staff"
) -> Person:
    """Somebody of the installation's staff."""
    email = f"{name}@example.com"
    person = await a_person(client, email=email)
    await give(auth, email, role)
    return await in_office(client, person.user_id, email)


async def give(auth: Running, email: str, role: PlatformRole) -> None:
    """Let an operator give somebody a role."""
    async with auth.db.work() as tx:
        await grant_role(tx, email, role)


async def act(client: AsyncClient, by: Person, about: str, what: str, **body: object) -> Response:
    """Let a colleague do something to the account of this id: `lock`, `unlock`, `deactivate`, ..., `role`, `delete`."""
    path, headers = f"/v1/users/{about}", by.bearer
    if what == "delete":
        return await client.delete(path, headers=headers)
    if what == "role":
        return await client.put(f"{path}/role", json=body, headers=headers)
    if what == "lock":
        body = {"hours": 1, "reason": "reported as stolen"} | body
    return await client.post(f"{path}/{what}", json=body or None, headers=headers)
