"""A refresh token that comes again: from the client that lost its answer it goes on, and from anybody else it is a theft."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from httpx2 import AsyncClient

from libs.schema.auth import MailTemplate, SessionCompromised
from tests.auth.builders import Person, a_person, bearer, mails, refresh, refresh_elsewhere, stop_the_clock
from tests.auth.programs import calling_from
from tests.auth.teams import create, switch
from tests.world import Running, World

_ALIVE = """SELECT count(*) FROM auth.refresh_token t JOIN auth.session s ON s.id = t.session_id
            WHERE s.ended_at IS NULL AND t.used_at IS NULL"""


@pytest.fixture
async def ada(client: AsyncClient) -> Person:
    return await a_person(client)


@pytest.fixture
def later(auth: Running, ada: Person) -> Callable[[float], None]:
    """Lets so many seconds pass; no time passes by itself once somebody has logged in."""
    stop_the_clock(auth)
    assert ada.refresh_token
    now = auth.db.clock()

    def pass_by(seconds: float) -> None:
        nonlocal now
        now += timedelta(seconds=seconds)
        auth.db.clock = lambda: now

    return pass_by


async def _given(client: AsyncClient, token: str) -> str:
    answer = await refresh(client, token)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["refresh_token"])


async def _is_over(client: AsyncClient, world: World, newest: str) -> None:
    assert (await refresh(client, newest)).status_code == 401
    await mails(world, MailTemplate.SESSION_COMPROMISED)
    assert (await world.fetch(_ALIVE))[0][0] == 0


async def test_tabs_that_refresh_at_once_get_one_token_and_stay_logged_in(
    client: AsyncClient, world: World, ada: Person, later: Callable[[float], None]
) -> None:
    later(0)

    given = await asyncio.gather(*(_given(client, ada.refresh_token) for _ in range(10)))

    assert len(set(given)) == 1
    assert (await world.fetch(_ALIVE))[0][0] == 1
    assert (await refresh(client, given[0])).status_code == 200
    await mails(world, MailTemplate.SESSION_COMPROMISED, 0)


async def test_a_lost_answer_is_given_again(
    client: AsyncClient, world: World, ada: Person, later: Callable[[float], None]
) -> None:
    lost = await _given(client, ada.refresh_token)
    later(2)

    again = await refresh(client, ada.refresh_token)

    assert (again.status_code, again.json()["refresh_token"]) == (200, lost)
    assert (await client.get("/v1/me", headers=bearer(again.json()["access_token"]))).status_code == 200
    assert (await world.fetch(_ALIVE))[0][0] == 1
    assert world.published(SessionCompromised) == []


async def test_a_lost_answer_to_a_switch_is_given_again(
    client: AsyncClient, ada: Person, later: Callable[[float], None]
) -> None:
    research = await create(client, ada)
    lost = await switch(client, ada.refresh_token, research)
    later(2)

    again = await switch(client, ada.refresh_token, research)

    assert again.json()["refresh_token"] == lost.json()["refresh_token"]
    assert again.json()["workspace_id"] == research


@pytest.mark.parametrize("seconds", [10, 600])
async def test_a_token_that_comes_again_too_late_ends_the_session(
    client: AsyncClient, world: World, ada: Person, later: Callable[[float], None], seconds: float
) -> None:
    newest = await _given(client, ada.refresh_token)
    later(seconds)

    assert (await refresh(client, ada.refresh_token)).status_code == 401
    await _is_over(client, world, newest)


async def test_coming_again_makes_the_time_for_it_no_longer(
    client: AsyncClient, world: World, ada: Person, later: Callable[[float], None]
) -> None:
    newest = await _given(client, ada.refresh_token)
    later(9)
    assert await _given(client, ada.refresh_token) == newest
    later(2)

    assert (await refresh(client, ada.refresh_token)).status_code == 401
    await _is_over(client, world, newest)


async def test_a_thief_on_another_device_gains_nothing_from_it(
    client: AsyncClient, world: World, ada: Person, later: Callable[[float], None]
) -> None:
    newest = await _given(client, ada.refresh_token)
    later(1)

    assert (await refresh_elsewhere(client, ada.refresh_token)).status_code == 401
    await _is_over(client, world, newest)


async def test_a_thief_in_another_network_gains_nothing_from_it(
    auth: Running, client: AsyncClient, world: World, ada: Person, later: Callable[[float], None]
) -> None:
    newest = await _given(client, ada.refresh_token)
    later(1)

    async with calling_from(auth, "203.0.113.9", **{"user-agent": client.headers["user-agent"]}) as thief:
        assert (await refresh(thief, ada.refresh_token)).status_code == 401

    await _is_over(client, world, newest)


async def test_its_owner_is_told_of_a_thief_who_was_quicker(
    client: AsyncClient, world: World, ada: Person, later: Callable[[float], None]
) -> None:
    stolen = (await refresh_elsewhere(client, ada.refresh_token)).json()["refresh_token"]
    later(1)

    assert (await refresh(client, ada.refresh_token)).status_code == 401
    await _is_over(client, world, stolen)


async def test_a_tab_that_comes_late_gets_the_newest_token_of_the_one_chain(
    client: AsyncClient, world: World, ada: Person, later: Callable[[float], None]
) -> None:
    newest = await _given(client, await _given(client, ada.refresh_token))
    later(2)

    assert await _given(client, ada.refresh_token) == newest
    assert (await world.fetch(_ALIVE))[0][0] == 1


async def test_who_logged_out_is_not_let_in_again_by_it(client: AsyncClient, world: World, ada: Person) -> None:
    newest = await _given(client, ada.refresh_token)
    await client.post("/v1/auth/logout", json={"refresh_token": newest})

    assert (await refresh(client, ada.refresh_token)).status_code == 401
    await mails(world, MailTemplate.SESSION_COMPROMISED, 0)


async def test_nothing_leads_from_old_tokens_to_the_newest_for_long(
    client: AsyncClient, world: World, ada: Person, later: Callable[[float], None]
) -> None:
    token = ada.refresh_token
    for _ in range(3):
        token = await _given(client, token)
        later(60)

    assert (await world.fetch("SELECT count(successor_salt) FROM auth.refresh_token"))[0][0] == 1
