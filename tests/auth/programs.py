"""How does a program log in, in tests? With an API key that somebody made for it, from wherever it runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from httpx2 import ASGITransport, AsyncClient, Response

from tests.auth.builders import Forger, Person, private_key
from tests.world import Running, World

KEYS = "/v1/api-keys"
EVERY_SCOPE = ("api-keys:read", "api-keys:write")


@dataclass(frozen=True)
class Key:
    """What whoever made a key holds."""

    id: str
    prefix: str
    secret: str

    @classmethod
    def of(cls, answer: Response) -> Key:
        assert answer.is_success, answer.text
        told = answer.json()
        return cls(told["key"]["id"], told["client_id"], told["client_secret"])


def terms(**changes: object) -> dict[str, object]:
    """What a key is asked for with."""
    ends = datetime.now(UTC) + timedelta(days=30)
    return {"name": "rebalancer", "scopes": ["orders:read"], "expires_at": ends.isoformat()} | changes


async def ask_for_key(client: AsyncClient, person: Person, **changes: object) -> Response:
    return await client.post(KEYS, json=terms(**changes), headers=person.bearer)


async def a_key(client: AsyncClient, person: Person, **changes: object) -> Key:
    return Key.of(await ask_for_key(client, person, **changes))


async def rotate(client: AsyncClient, person: Person, key: Key, overlap_seconds: int) -> Response:
    body = {"overlap_seconds": overlap_seconds}
    return await client.post(f"{KEYS}/{key.id}/rotate", json=body, headers=person.bearer)


async def revoke(client: AsyncClient, person: Person, key: Key) -> Response:
    return await client.delete(f"{KEYS}/{key.id}", headers=person.bearer)


async def exchange(client: AsyncClient, key: Key, **changes: str) -> Response:
    """Ask for a token as a program does."""
    form = {"grant_type": "client_credentials", "client_id": key.prefix, "client_secret": key.secret}
    return await client.post("/v1/auth/token", data=form | changes)


async def token(client: AsyncClient, key: Key) -> str:
    return str((await exchange(client, key)).raise_for_status().json()["access_token"])


@asynccontextmanager
async def calling_from(running: Running, address: str, **headers: str) -> AsyncIterator[AsyncClient]:
    """Anybody at an address."""
    transport = ASGITransport(running.service.http, raise_app_exceptions=False, client=(address, 1))
    async with AsyncClient(transport=transport, base_url="http://service", headers=headers) as client:
        yield client


async def a_member(world: World, person: Person, workspace_id: str, role: str) -> Person:
    """A person with a token for somebody else's workspace, in which they have a role."""
    await world.fetch(
        "INSERT INTO auth.membership (tenant_id, user_id, role) VALUES ($1, $2, $3)",
        UUID(workspace_id),
        UUID(person.user_id),
        role,
    )
    forged = Forger(person, await private_key(world)).token(tid=workspace_id, scope=" ".join(EVERY_SCOPE))
    return Person(person.user_id, workspace_id, forged, "")


async def has_role(world: World, person: Person, role: str) -> None:
    """Let a person be something else in their workspace."""
    await world.fetch(
        "UPDATE auth.membership SET role = $3 WHERE tenant_id = $1 AND user_id = $2",
        UUID(person.workspace_id),
        UUID(person.user_id),
        role,
    )
