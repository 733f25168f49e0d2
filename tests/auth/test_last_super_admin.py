"""There is always a super admin who can act, whoever removes whom, one after the other or at once; the first is made once."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest
from httpx2 import AsyncClient

from libs.kit.acts import Actor
from libs.kit.db import Tx
from libs.kit.errors import Conflict, NotFound, Rejected
from libs.kit.ids import uuid7
from libs.schema.audit import ActorKind
from services.auth.commands import accounts
from services.auth.commands.accounts import Outcome
from services.auth.commands.staff import appoint_first, enrol_first, grant_role
from services.auth.model import PlatformRole
from services.auth.repository.users import NewUser
from tests.auth.builders import Person, a_person, log_in
from tests.auth.colleagues import act, give, staff
from tests.world import Running, World

SUPER = PlatformRole.SUPER_ADMIN


@pytest.fixture
async def chief(client: AsyncClient, auth: Running) -> Person:
    return await staff(client, auth, SUPER, name="chief")


async def close(tx: Tx, how: str, whom: Person, by: Person) -> Outcome:
    """One of the four ways in which somebody stops being a super admin who can act."""
    actor, user_id = Actor(ActorKind.STAFF, UUID(by.user_id)), UUID(whom.user_id)
    if how == "role":
        return await accounts.change_role(tx, user_id, PlatformRole.USER, actor)
    if how == "lock":
        return await accounts.lock(tx, user_id, tx.now + timedelta(hours=1), "a quarrel", actor)
    return await (accounts.deactivate if how == "deactivate" else accounts.delete)(tx, user_id, actor)


async def able(world: World) -> int:
    """How many super admins can act."""
    return int(
        (
            await world.fetch(
                "SELECT count(*) FROM auth.\"user\" WHERE platform_role = 'SUPER_ADMIN' AND is_active "
                "AND deleted_at IS NULL AND (locked_until IS NULL OR locked_until < now())"
            )
        )[0][0]
    )


async def test_two_who_remove_each_other_at_once_leave_one(
    client: AsyncClient, auth: Running, world: World, chief: Person
) -> None:
    deputy = await staff(client, auth, SUPER, name="deputy")

    async def removes(by: Person, whom: Person, how: str) -> Outcome:
        async with auth.db.transaction(UUID(whom.workspace_id)) as tx:
            return await close(tx, how, whom, by)

    for how in ("role", "lock", "deactivate", "delete"):
        await world.fetch(
            "UPDATE auth.\"user\" SET platform_role = 'SUPER_ADMIN', is_active = true, deleted_at = NULL, "
            "locked_until = NULL WHERE email LIKE 'chief%' OR email LIKE 'deputy%'"
        )
        outcomes = await asyncio.gather(removes(chief, deputy, how), removes(deputy, chief, how))

        assert sum(isinstance(one, Rejected) for one in outcomes) == 1, how
        assert await able(world) == 1, how


async def test_super_admins_who_remove_one_another_in_a_ring_leave_one_at_least(
    client: AsyncClient, auth: Running, world: World
) -> None:
    ring = [await staff(client, auth, SUPER, name=f"chief{number}") for number in range(5)]

    async def removes(by: Person, whom: Person) -> Outcome:
        async with auth.db.transaction(UUID(whom.workspace_id)) as tx:
            return await close(tx, "role", whom, by)

    await asyncio.gather(*(removes(one, other) for one, other in zip(ring, ring[1:] + ring[:1], strict=True)))

    assert await able(world) >= 1


async def test_whoever_support_locked_out_locks_nobody_out_as_the_last(
    client: AsyncClient, auth: Running, world: World, chief: Person
) -> None:
    """Their token may still go round for a moment."""
    deputy = await staff(client, auth, SUPER, name="deputy")
    await act(client, chief, deputy.user_id, "lock")

    async with auth.db.transaction(UUID(chief.workspace_id)) as tx:
        outcome = await close(tx, "lock", chief, deputy)

    assert isinstance(outcome, Conflict)
    assert outcome.slug == "last-super-admin"
    assert await able(world) == 1


async def test_not_even_an_operator_lowers_the_last_one(auth: Running, world: World, chief: Person) -> None:
    with pytest.raises(Conflict, match="last super admin"):
        await give(auth, "chief@example.com", PlatformRole.ADMIN)

    assert await able(world) == 1
    await give(auth, "chief@example.com", SUPER)


async def test_two_operators_who_lower_two_at_once_leave_one(
    client: AsyncClient, auth: Running, world: World, chief: Person
) -> None:
    await staff(client, auth, SUPER, name="deputy")

    results = await asyncio.gather(
        *(give(auth, f"{name}@example.com", PlatformRole.USER) for name in ("chief", "deputy")), return_exceptions=True
    )

    assert Counter(type(result) for result in results) == {type(None): 1, Conflict: 1}
    assert await able(world) == 1


async def test_a_super_admin_removes_another_one(client: AsyncClient, auth: Running, chief: Person) -> None:
    deputy = await staff(client, auth, SUPER, name="deputy")

    assert (await act(client, chief, deputy.user_id, "role", role="USER")).status_code == 200


async def test_the_first_super_admin_is_made_once(client: AsyncClient, auth: Running, world: World) -> None:
    for number in range(3):
        await a_person(client, email=f"p{number}@example.com")

    async def appoint(number: int) -> None:
        async with auth.db.work() as tx:
            await appoint_first(tx, f"p{number}@example.com")

    async def enrol(number: int) -> None:
        new = NewUser(f"n{number % 2}@example.com", "a hash", None, None)
        async with auth.db.work() as tx:
            await enrol_first(tx, new, uuid7())

    results = await asyncio.gather(
        *(appoint(number % 3) for number in range(4)), *(enrol(number) for number in range(4)), return_exceptions=True
    )

    assert Counter(type(result) for result in results) == {type(None): 1, Conflict: 7}
    assert await able(world) == 1
    [known] = await world.fetch('SELECT count(*) FROM auth."user"')
    assert known[0] in {3, 4}, "whoever came too late is not registered"


async def test_an_operator_raises_nobody_who_is_shut_out_or_unknown(
    client: AsyncClient, auth: Running, world: World
) -> None:
    await a_person(client)
    await world.fetch('UPDATE auth."user" SET is_active = false')

    for email, error in (("ada@example.com", Conflict), ("nobody@example.com", NotFound)):
        with pytest.raises(error):
            async with auth.db.work() as tx:
                await appoint_first(tx, email)
        if error is NotFound:
            with pytest.raises(error):
                async with auth.db.work() as tx:
                    await grant_role(tx, email, PlatformRole.ADMIN)
    assert (await log_in(client)).status_code == 401
    assert await able(world) == 0
