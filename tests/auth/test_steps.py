"""An export or an erasure that can't be done waits by itself; whoever comes behind it is served."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from httpx2 import AsyncClient

from libs.schema.auth import MailTemplate
from services.auth.model import DataExport, Erasure
from tests.auth.builders import Person, a_person, mails
from tests.auth.privacy import (
    OTHERS,
    SELDOM,
    an_answer,
    ask_for_export,
    come,
    expire,
    go_on,
    state_of,
    wish,
)
from tests.world import Running, World, eventually

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
async def auth(world: World) -> AsyncIterator[Running]:
    async with world.running("auth", auth_privacy_seconds=SELDOM) as running:
        yield running


@pytest.fixture
async def ada(client: AsyncClient) -> Person:
    return await a_person(client)


@pytest.fixture
async def bob(client: AsyncClient) -> Person:
    return await a_person(client, email="bob@example.com")


def test_what_fails_waits_longer_each_time_but_never_more_than_a_day() -> None:
    erasure = Erasure(failures=0)
    waits = []
    for _ in range(40):
        erasure.put_off(NOW)
        waits.append(erasure.next_at - NOW)
    assert waits[:4] == [timedelta(minutes=minutes) for minutes in (1, 2, 4, 8)]
    assert waits == sorted(waits)
    assert set(waits[11:]) == {timedelta(days=1)}


def test_an_export_that_fails_ends_when_it_should() -> None:
    export = DataExport(failures=20, expires_at=NOW + timedelta(hours=1))
    export.put_off(NOW)
    assert export.next_at == export.expires_at
    export.put_off(export.expires_at)
    assert export.next_at > export.expires_at


@pytest.mark.parametrize("state", ["CLOSED", "ERASED", "CERTIFIED"])
async def test_an_erasure_that_fails_holds_up_nobody(
    world: World, auth: Running, client: AsyncClient, ada: Person, bob: Person, state: str
) -> None:
    asked = [await wish(client, ada), await wish(client, bob)]
    await world.fetch(
        f"ALTER TABLE auth.erasure ADD CONSTRAINT stuck CHECK (user_id <> '{ada.user_id}' OR state <> '{state}')"
    )
    for one in asked:
        for name in OTHERS:
            await world.publish(an_answer(UUID(one["id"]), name))
    await world.settled("auth")

    for _ in range(3):
        # Ada's is the older one, and due like Bob's.
        await come(world)
        await go_on(auth)
        await world.settled("auth")

    rows = await world.fetch("SELECT state, failures > 0, next_at > now() FROM auth.erasure ORDER BY id")
    before = {"CLOSED": "WAITING", "ERASED": "CLOSED", "CERTIFIED": "ERASED"}[state]
    assert [tuple(row) for row in rows] == [(before, True, True), ("CERTIFIED", False, False)]


async def test_an_erasure_that_failed_is_done_when_it_can_be(
    world: World, auth: Running, client: AsyncClient, ada: Person
) -> None:
    await wish(client, ada)
    await world.fetch("ALTER TABLE auth.erasure ADD CONSTRAINT stuck CHECK (state <> 'CLOSED')")
    await come(world)
    await go_on(auth)
    await world.fetch("ALTER TABLE auth.erasure DROP CONSTRAINT stuck")
    await go_on(auth)
    [row] = await world.fetch("SELECT state, failures FROM auth.erasure")
    assert tuple(row) == ("WAITING", 1)

    await come(world)
    await go_on(auth)

    [row] = await world.fetch("SELECT state, failures FROM auth.erasure")
    assert tuple(row) == ("CLOSED", 0)
    await mails(world, MailTemplate.ACCOUNT_CLOSED)


async def test_an_export_whose_key_is_damaged_fails_alone(
    world: World, auth: Running, client: AsyncClient, ada: Person, bob: Person
) -> None:
    for one in (ada, bob):
        assert (await ask_for_export(client, one)).status_code == 202
    await world.fetch("UPDATE auth.data_key SET wrapped_key = '\\x00' WHERE tenant_id = $1", UUID(ada.workspace_id))

    async def bobs_is_asked_for() -> None:
        rows = await world.fetch("SELECT asked_at IS NOT NULL, failures FROM auth.data_export ORDER BY id")
        assert [tuple(row) for row in rows] == [(False, 1), (True, 0)]

    # Another process, which has unwrapped none of the keys.
    async with world.running("auth", auth_privacy_seconds=0.05) as other:
        await eventually(bobs_is_asked_for)
        assert [await probe.failure() for probe in other.service.probes if probe.name == "data_exports"] == [None]

    assert await state_of(client, ada) == "COLLECTING"
    await world.fetch("UPDATE auth.data_export SET expires_at = now(), next_at = now() WHERE failures > 0")
    assert await expire(auth) == 1
    assert await state_of(client, ada) == "EXPIRED"
