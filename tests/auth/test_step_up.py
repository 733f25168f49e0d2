"""Showing once more who one is: all that a login takes, for the session that goes on, and no way around the guards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from httpx2 import AsyncClient, Response

from libs.schema.audit import ActResult, SecurityActed
from libs.schema.auth import MailTemplate, SessionCompromised, UserLocked
from services.auth.commands.staff import grant_role
from services.auth.model import SCOPES_OF_ROLE, PlatformRole, Role
from services.auth.passwords import Passwords
from tests.auth.builders import (
    EMAIL,
    PASSWORD,
    Person,
    a_person,
    again,
    bearer,
    forget_the_waits,
    mails,
    refresh,
    verifier,
)
from tests.second_factor import App, asking, enrol
from tests.world import Running, World


@pytest.fixture
async def ada(client: AsyncClient, world: World) -> Person:
    """Somebody who logged in an hour ago."""
    person = await a_person(client)
    await world.fetch("UPDATE auth.session SET authenticated_at = now() - interval '1 hour'")
    return person


@pytest.fixture
async def app(client: AsyncClient, ada: Person) -> App:
    """The application of Ada, who set it up when she had just logged in."""
    return await enrol(asking(client), ada.access_token)


async def step_up(client: AsyncClient, token: str, **shown: str) -> Response:
    return await client.post("/v1/auth/step-up", json={"refresh_token": token} | shown)


async def test_a_password_makes_a_session_fresh(client: AsyncClient, ada: Person) -> None:
    answer = await step_up(client, ada.refresh_token, password=PASSWORD)

    assert answer.status_code == 200, answer.text
    caller = await verifier(client).verify(answer.json()["access_token"])
    assert caller.authenticated_at is not None
    assert datetime.now(UTC) - caller.authenticated_at < timedelta(minutes=1)
    assert answer.json()["session_id"] == ada.session_id
    fresh = await client.post("/v1/me/totp", headers=bearer(answer.json()["access_token"]))
    assert fresh.status_code == 201


async def test_what_is_dangerous_says_how_to_go_on(client: AsyncClient, ada: Person) -> None:
    stale = (await refresh(client, ada.refresh_token)).json()["access_token"]

    answer = await client.post("/v1/me/totp", headers=bearer(stale))

    assert (answer.status_code, answer.json()["type"]) == (401, "urn:fillstream:problem:step-up-required")
    assert "/v1/auth/step-up" in answer.json()["detail"]


async def test_whoever_has_a_second_factor_shows_both(client: AsyncClient, ada: Person, app: App) -> None:
    password_alone = await step_up(client, ada.refresh_token, password=PASSWORD)
    code_alone = await step_up(client, ada.refresh_token, code=app.code_of(0))
    both = await step_up(client, ada.refresh_token, password=PASSWORD, code=app.code())

    assert [answer.status_code for answer in (password_alone, code_alone, both)] == [422, 422, 200]
    assert (await verifier(client).verify(both.json()["access_token"])).methods == {"pwd", "otp", "mfa"}


async def test_stepping_up_after_setting_one_up_gives_what_it_is_for(
    client: AsyncClient, auth: Running, ada: Person
) -> None:
    async with auth.db.work() as tx:
        await grant_role(tx, EMAIL, PlatformRole.ADMIN)
    # Whoever gets a role logs in anew.
    ada = await again(client, ada.user_id)
    app = await enrol(asking(client), ada.access_token)

    answer = await step_up(client, ada.refresh_token, password=PASSWORD, code=app.code())

    scopes = (await verifier(client).verify(answer.json()["access_token"])).scopes
    assert scopes == SCOPES_OF_ROLE[Role.OWNER] | SCOPES_OF_ROLE[PlatformRole.ADMIN]


@pytest.mark.parametrize("wrong", ["password", "code"])
async def test_nothing_wrong_steps_up(client: AsyncClient, ada: Person, app: App, wrong: str) -> None:
    shown = {"password": PASSWORD, "code": app.code()} | {wrong: "000000"}

    answer = await step_up(client, ada.refresh_token, **shown)

    assert answer.status_code == 401
    assert (await refresh(client, ada.refresh_token)).status_code == 200, "the session goes on as it was"


async def test_a_code_that_opened_a_session_does_not_step_up_another(
    client: AsyncClient, ada: Person, app: App
) -> None:
    code = app.code()
    first = (await step_up(client, ada.refresh_token, password=PASSWORD, code=code)).json()

    again = await step_up(client, first["refresh_token"], password=PASSWORD, code=code)

    assert again.status_code == 401


async def test_guessing_here_is_guessing_at_a_login(client: AsyncClient, world: World, ada: Person) -> None:
    for _ in range(10):
        assert (await step_up(client, ada.refresh_token, password="not it")).status_code == 401
        await forget_the_waits(world)

    assert (await step_up(client, ada.refresh_token, password=PASSWORD)).status_code in {401, 429}
    await world.expect(UserLocked, 1)


async def test_a_refresh_token_that_was_used_ends_its_session(client: AsyncClient, world: World, ada: Person) -> None:
    later = (await refresh(client, ada.refresh_token)).json()
    client.headers["user-agent"] = "somebody else's"

    answer = await step_up(client, ada.refresh_token, password=PASSWORD)

    assert answer.status_code == 401
    await world.expect(SessionCompromised, 1)
    await mails(world, MailTemplate.SESSION_COMPROMISED)
    assert (await refresh(client, later["refresh_token"])).status_code == 401


@pytest.mark.parametrize("token", ["x", "00000000-0000-0000-0000-000000000000.x"])
async def test_nobodys_session_is_not_stepped_up(client: AsyncClient, token: str) -> None:
    assert (await step_up(client, token, password=PASSWORD)).status_code == 401


async def test_both_ends_are_in_the_trail(client: AsyncClient, world: World, ada: Person) -> None:
    await step_up(client, ada.refresh_token, password="not it")
    await step_up(client, ada.refresh_token, password=PASSWORD)
    await world.settled("auth")

    acts = [told.event for told in world.published(SecurityActed) if told.event.act == "session.stepped_up"]

    assert [act.result for act in acts] == [ActResult.REFUSED, ActResult.SUCCEEDED]


async def test_a_try_that_a_busy_server_could_not_check_counts_for_neither_guard(world: World) -> None:
    async with world.running("auth", auth_hashing_processes=1, auth_hashing_queue=1) as auth:
        client = await auth.anonymous()
        ada = await a_person(client)
        app = await enrol(asking(client), ada.access_token)
        ada_again = await step_up(client, ada.refresh_token, password=PASSWORD, code=app.code())
        token = ada_again.json()["refresh_token"]

        async with _busy(auth):
            answer = await step_up(client, token, password=PASSWORD, code=app.code())

        assert answer.status_code == 503
        assert {row["failures"] for row in await world.fetch("SELECT failures FROM auth.login_guard")} == {0}
        assert (await step_up(client, token, password=PASSWORD, code=app.code())).status_code == 200


@asynccontextmanager
async def _busy(auth: Running) -> AsyncIterator[None]:
    """Keep all processes that hash, and all places before them, taken."""
    passwords: Passwords = auth.service.http.state.parts.passwords

    async def hash_on() -> None:
        # A place that is given back is taken again before anybody else's turn.
        while True:
            await passwords.hash(PASSWORD)

    tasks = [asyncio.create_task(hash_on()) for _ in range(2)]
    await asyncio.sleep(0)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_try_in_a_workspace_that_its_person_was_removed_from_counts_no_failure(
    client: AsyncClient, world: World, ada: Person
) -> None:
    await world.fetch("DELETE FROM auth.membership")

    answers = [await step_up(client, ada.refresh_token, password=PASSWORD) for _ in range(6)]

    assert {answer.json()["type"] for answer in answers} == {"urn:fillstream:problem:no-longer-a-member"}
    assert {row["failures"] for row in await world.fetch("SELECT failures FROM auth.login_guard")} == {0}
