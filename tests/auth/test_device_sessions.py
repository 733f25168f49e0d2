"""What a device's session may do: what its person may, who showed who they are elsewhere, and nothing that took it."""

from __future__ import annotations

import pytest
from httpx2 import AsyncClient

from libs.kit.security import Caller
from services.auth.model import SCOPES_OF_ROLE, PlatformRole, Role
from tests.auth.builders import PASSWORD, Person, a_person, bearer, refresh, verifier
from tests.auth.colleagues import staff
from tests.auth.devices import a_device
from tests.auth.teams import create, switched
from tests.second_factor import asking, enrol, log_in_with
from tests.world import Running, World

OWNER = SCOPES_OF_ROLE[Role.OWNER]


async def session_of_a_device(client: AsyncClient, person: Person) -> Person:
    """The tokens that a device gets whom the person has approved."""
    device = await a_device(client)
    (await device.decided(person)).raise_for_status()
    told = (await device.poll()).raise_for_status().json()
    return Person(person.user_id, told["workspace_id"], told["access_token"], told["refresh_token"], told["session_id"])


async def caller(client: AsyncClient, token: str) -> Caller:
    return await verifier(client).verify(token)


async def refreshed(client: AsyncClient, person: Person) -> str:
    return str((await refresh(client, person.refresh_token)).raise_for_status().json()["access_token"])


async def test_a_devices_session_is_as_fresh_as_no_login_and_has_shown_no_factor(client: AsyncClient) -> None:
    device = await session_of_a_device(client, await a_person(client))

    for token in (device.access_token, await refreshed(client, device)):
        known = await caller(client, token)
        assert (known.authenticated_at, known.methods, known.scopes) == (None, frozenset(), OWNER)


async def test_a_devices_session_does_nothing_that_takes_a_fresh_one(client: AsyncClient) -> None:
    device = await session_of_a_device(client, await a_person(client))
    other = await a_device(client)

    answers = [
        await client.post("/v1/me/totp", headers=device.bearer),
        await client.post("/v1/me/passkey-options", headers=device.bearer),
        await client.post("/v1/api-keys", json={}, headers=device.bearer),
        await other.decided(device),
    ]

    assert {(answer.status_code, answer.json()["type"]) for answer in answers} == {
        (401, "urn:fillstream:problem:step-up-required")
    }


@pytest.mark.parametrize("role", [PlatformRole.SUPPORT, PlatformRole.SUPER_ADMIN])
async def test_a_device_that_staff_approved_has_none_of_their_scopes_ever(
    client: AsyncClient, auth: Running, role: PlatformRole
) -> None:
    approver = await staff(client, auth, role)
    assert (await caller(client, approver.access_token)).scopes > OWNER

    device = await session_of_a_device(client, approver)
    there = await switched(client, device, await create(client, device))

    for token in (device.access_token, there.access_token, await refreshed(client, there)):
        assert (await caller(client, token)).scopes == OWNER


async def test_where_a_second_factor_is_demanded_a_device_may_do_nothing_before_its_person_shows_one_there(
    client: AsyncClient, world: World
) -> None:
    ada = await a_person(client)
    app = await enrol(asking(client), ada.access_token)
    session = await log_in_with(asking(client), app, "ada@example.com", PASSWORD)
    await world.fetch("UPDATE auth.workspace SET second_factor_required = true")
    here = Person(ada.user_id, ada.workspace_id, session["access_token"], session["refresh_token"])
    device = await session_of_a_device(client, here)
    before = await caller(client, device.access_token)

    shown = {"refresh_token": device.refresh_token, "password": PASSWORD, "code": app.code()}
    stepped_up = (await client.post("/v1/auth/step-up", json=shown)).raise_for_status().json()

    after = await caller(client, stepped_up["access_token"])
    assert before.scopes == frozenset()
    assert (after.scopes, after.methods) == (OWNER, {"pwd", "otp", "mfa"})
    assert after.authenticated_at is not None
    assert (await client.get("/v1/me", headers=bearer(stepped_up["access_token"]))).status_code == 200
