"""Who works together in tests? People with proved addresses, who make workspaces, invite each other and switch."""

from __future__ import annotations

from dataclasses import dataclass

from httpx2 import AsyncClient, Response

from libs.schema.auth import MailRequested, MailTemplate
from tests.auth.builders import PASSWORD, Person, a_newcomer, again, ticket
from tests.world import World

OWNER_EMAIL = "olga@example.com"


@dataclass(frozen=True)
class Team:
    """A workspace with its owner and its members, each with tokens for it."""

    owner: Person
    members: dict[str, Person]
    """By address."""

    @property
    def path(self) -> str:
        """Where the workspace is."""
        return f"/v1/workspaces/{self.owner.workspace_id}"


async def mail_to(world: World, address: str, template: MailTemplate) -> MailRequested:
    """The newest mail of a template to an address; fails when there is none."""
    await world.settled("auth")
    told = [mail.event for mail in world.published(MailRequested)]
    found = [mail for mail in told if (mail.address, mail.template) == (address, template)]
    assert found, f"no mail {template} to {address}"
    return max(found, key=lambda mail: mail.mail_id)


async def a_verified_person(client: AsyncClient, world: World, email: str) -> Person:
    """Somebody who answered the mail that proves their address, and logged in after it."""
    newcomer = await a_newcomer(client, email=email)
    proof = {"token": ticket(await mail_to(world, email, MailTemplate.VERIFY_EMAIL)), "password": PASSWORD}
    assert (await client.post("/v1/auth/email-verification", json=proof)).status_code == 204
    return await again(client, newcomer.user_id, email=email)


async def create(client: AsyncClient, person: Person, name: str = "Research") -> str:
    """The id of a new workspace of a person."""
    answer = await client.post("/v1/workspaces", json={"name": name}, headers=person.bearer)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def switch(client: AsyncClient, refresh_token: str, workspace_id: str) -> Response:
    body = {"refresh_token": refresh_token, "workspace_id": workspace_id}
    return await client.post("/v1/auth/switch", json=body)


async def switched(client: AsyncClient, person: Person, workspace_id: str) -> Person:
    """The person, with tokens for another workspace."""
    answer = await switch(client, person.refresh_token, workspace_id)
    assert answer.status_code == 200, answer.text
    said = answer.json()
    return Person(person.user_id, said["workspace_id"], said["access_token"], said["refresh_token"], said["session_id"])


async def invite(client: AsyncClient, owner: Person, email: str, role: str = "TRADER") -> Response:
    path = f"/v1/workspaces/{owner.workspace_id}/invitations"
    return await client.post(path, json={"email": email, "role": role}, headers=owner.bearer)


async def accept(client: AsyncClient, person: Person, token: str) -> Response:
    return await client.post("/v1/invitations/accept", json={"token": token}, headers=person.bearer)


async def invited(client: AsyncClient, world: World, owner: Person, email: str, role: str = "TRADER") -> str:
    """What stands in the mail to somebody who is invited."""
    answer = await invite(client, owner, email, role)
    assert answer.status_code == 201, answer.text
    return ticket(await mail_to(world, email, MailTemplate.INVITATION))


async def join(client: AsyncClient, world: World, owner: Person, email: str, role: str = "TRADER") -> Person:
    """Somebody new who becomes a member of the workspace that the owner's token is for, with tokens for it."""
    person = await a_verified_person(client, world, email)
    answer = await accept(client, person, await invited(client, world, owner, email, role))
    assert answer.status_code == 200, answer.text
    return await switched(client, person, owner.workspace_id)


async def a_team(client: AsyncClient, world: World, **roles: str) -> Team:
    """A workspace beside its owner's own, with members of these names in these roles."""
    owner = await a_verified_person(client, world, OWNER_EMAIL)
    owner = await switched(client, owner, await create(client, owner))
    addresses = {f"{name}@example.com": role for name, role in roles.items()}
    return Team(owner, {email: await join(client, world, owner, email, role) for email, role in addresses.items()})


async def roles_in(client: AsyncClient, member: Person) -> dict[str, str]:
    """What everybody in the workspace is, by their id."""
    answer = await client.get(f"/v1/workspaces/{member.workspace_id}/members", headers=member.bearer)
    assert answer.status_code == 200, answer.text
    return {one["user_id"]: one["role"] for one in answer.json()["items"]}
