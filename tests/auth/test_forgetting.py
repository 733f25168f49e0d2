"""What is over is forgotten, a part at a time, and nothing that somebody can still use or has to answer for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest
from httpx2 import AsyncClient

from libs.kit.acts import Origin
from services.auth.commands import leftovers, logins
from services.auth.commands.leftovers import Memory
from services.auth.commands.logins import Lockout
from services.auth.settings import Settings
from tests.auth.builders import Person, a_person, log_in, refresh
from tests.auth.devices import a_device
from tests.auth.privacy import OTHERS, SELDOM, an_answer, certify, gone, wish
from tests.auth.teams import invite
from tests.world import Running, World, eventually, until_blocked

MEMORY = Memory(
    failures=timedelta(minutes=15),
    sessions=timedelta(days=30),
    invitations=timedelta(days=30),
    erasures=timedelta(days=7 * 366),
)
KEPT = {"devices": 0, "mailed_tokens": 0, "login_guards": 0, "sessions": 0, "invitations": 0, "erasures": 0}


async def forget(auth: Running) -> dict[str, int]:
    async with auth.db.work() as tx:
        return await leftovers.forget(tx, MEMORY)


@pytest.fixture
async def auth(world: World) -> AsyncIterator[Running]:
    async with world.running("auth", auth_privacy_seconds=SELDOM) as running:
        yield running


@pytest.fixture
async def ada(client: AsyncClient) -> Person:
    return await a_person(client)


async def test_what_is_in_use_stays(client: AsyncClient, auth: Running, ada: Person) -> None:
    device = await a_device(client)
    assert (await invite(client, ada, "bob@example.com")).status_code == 201
    await log_in(client, password="not the password")
    await client.post("/v1/auth/logout", json={"refresh_token": (await log_in(client)).json()["refresh_token"]})

    assert await forget(auth) == KEPT

    assert (await refresh(client, ada.refresh_token)).status_code == 200
    assert (await device.decided(ada)).status_code == 200


DEVICES = "UPDATE auth.device_authorization SET expires_at = now() - $1::interval"
MAILED = "UPDATE auth.mailed_token SET expires_at = now() - $1::interval"
FAILED = "UPDATE auth.login_guard SET last_failed_at = now() - $1::interval"
ENDED = "UPDATE auth.session SET ended_at = now() - $1::interval, ended_by = 'LOGOUT'"
RUN_OUT = "UPDATE auth.session SET expires_at = now() - $1::interval"

WITHDRAWN = "UPDATE auth.invitation SET settled_at = now() - $1::interval, state = 'REVOKED'"
UNANSWERED = "UPDATE auth.invitation SET expires_at = now() - $1::interval"


@pytest.mark.parametrize(
    ("kind", "aging", "age", "goes"),
    [
        ("devices", DEVICES, timedelta(hours=23), False),
        ("devices", DEVICES, timedelta(hours=25), True),
        ("mailed_tokens", MAILED, timedelta(hours=23), False),
        ("mailed_tokens", MAILED, timedelta(hours=25), True),
        ("login_guards", FAILED, timedelta(minutes=14), False),
        ("login_guards", FAILED, timedelta(minutes=16), True),
        ("sessions", ENDED, timedelta(days=29), False),
        ("sessions", ENDED, timedelta(days=31), True),
        ("sessions", RUN_OUT, timedelta(days=29), False),
        ("sessions", RUN_OUT, timedelta(days=31), True),
        ("invitations", WITHDRAWN, timedelta(days=29), False),
        ("invitations", WITHDRAWN, timedelta(days=31), True),
        ("invitations", UNANSWERED, timedelta(days=29), False),
        ("invitations", UNANSWERED, timedelta(days=31), True),
    ],
)
async def test_what_is_over_goes_when_it_has_been_for_long_enough(
    client: AsyncClient, world: World, auth: Running, ada: Person, kind: str, aging: str, age: timedelta, *, goes: bool
) -> None:
    await a_device(client)
    await log_in(client, password="not the password")
    assert (await invite(client, ada, "bob@example.com")).status_code == 201
    table = aging.split()[1]
    count = len(await world.fetch(f"SELECT FROM {table}"))
    await world.fetch(aging, age)

    forgotten = await forget(auth)

    assert count
    assert forgotten == KEPT | ({kind: count} if goes else {})
    assert len(await world.fetch(f"SELECT FROM {table}")) == (0 if goes else count)
    assert bool(await world.fetch("SELECT FROM auth.refresh_token")) is not (kind == "sessions" and goes)


PROOFS = ("erasure", "erasure_answer", "imported_person")


async def _proofs(world: World, person: Person) -> set[str]:
    """The tables that keep something of what proves somebody's erasure."""
    home = UUID(person.workspace_id)
    return {table for table in PROOFS if await world.fetch(f"SELECT FROM auth.{table} WHERE tenant_id = $1", home)}


@pytest.mark.parametrize(("days", "goes"), [(7 * 366 - 1, False), (7 * 366 + 1, True)])
async def test_the_proof_of_an_erasure_goes_on_the_day_that_its_certificate_names(
    client: AsyncClient, world: World, auth: Running, ada: Person, days: int, *, goes: bool
) -> None:
    bob = await a_person(client, email="bob@example.com")
    for one in (ada, bob):
        await world.fetch(
            "INSERT INTO auth.imported_person (tenant_id, user_id, line_digest) VALUES ($1, $2, sha256($3))",
            UUID(one.workspace_id), UUID(one.user_id), one.user_id.encode(),
        )  # fmt: skip
    erasure_id = await gone(world, auth, client, ada)
    await wish(client, bob)
    for name in OTHERS:
        await world.publish(an_answer(erasure_id, name))
    await world.settled("auth")
    assert await certify(auth) == 1
    await world.fetch(
        "UPDATE auth.erasure SET erased_at = now() - make_interval(days => $1) WHERE erased_at IS NOT NULL", days
    )

    forgotten = await forget(auth)

    assert forgotten["erasures"] == (1 if goes else 0)
    assert await _proofs(world, ada) == (set() if goes else set(PROOFS))
    assert await _proofs(world, bob) == {"erasure", "imported_person"}


async def test_what_somebody_works_on_is_left_for_the_next_time(
    client: AsyncClient, world: World, auth: Running, ada: Person
) -> None:
    await world.fetch(ENDED, timedelta(days=31))
    async with auth.db.work() as busy:
        await busy.fetch("SELECT FROM auth.session FOR UPDATE")
        assert await forget(auth) == KEPT

    assert await forget(auth) == KEPT | {"sessions": 1}


async def test_a_guard_that_is_forgotten_while_a_login_wants_it_is_made_anew(
    client: AsyncClient, world: World, auth: Running
) -> None:
    await log_in(client, password="not the password")
    await world.fetch(FAILED, timedelta(minutes=16))
    lockout = Lockout.of(Settings(**world.settings_of("auth").model_dump()))
    email, origin = "ada@example.com", Origin("127.0.0.1")

    async def claim() -> None:
        async with auth.db.public() as tx:
            await logins.claim_try(tx, lockout, email, origin)

    async with auth.db.work() as tx:
        assert await leftovers.forget(tx, MEMORY) == KEPT | {"login_guards": 2}
        claiming = asyncio.create_task(claim())
        await until_blocked(world.fetch)
        assert not claiming.done(), "it has to wait for the rows that are being deleted"
    await claiming

    assert {row[0] for row in await world.fetch("SELECT failures FROM auth.login_guard")} == {1}


async def test_a_task_forgets_part_by_part_until_nothing_is_left(
    client: AsyncClient, world: World, auth: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(7):
        await a_device(client)
    await world.fetch(DEVICES, timedelta(hours=25))
    monkeypatch.setattr(leftovers, "MAX_FORGOTTEN", 3)

    async def all_are_gone() -> None:
        assert await world.fetch("SELECT FROM auth.device_authorization") == []

    async with world.running("auth"):
        await eventually(all_are_gone)
