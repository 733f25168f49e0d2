"""The tier that a workspace is shown is billing's newest word, and nobody else's."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest
from httpx2 import AsyncClient

from libs.kit.ids import uuid7
from libs.kit.outbox import OutboxRow
from libs.schema.billing import EntitlementsChanged
from tests.auth.builders import Person, a_person
from tests.world import Running, World

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


def _word(world: World, person: Person, plan: str, sequence: int) -> OutboxRow:
    workspace = UUID(person.workspace_id)
    event = EntitlementsChanged(
        occurred_at=LONG_AGO, workspace_id=workspace, plan=plan, max_strategies=1, auto_trading=False
    )
    return world.envelope(event, tenant_id=workspace, subject=workspace, sequence=sequence)


async def _tier(client: AsyncClient, person: Person) -> object:
    return (await client.get("/v1/me", headers=person.bearer)).json()["tier"]


@pytest.fixture
async def ada(client: AsyncClient) -> Person:
    return await a_person(client)


async def test_a_workspace_has_the_tier_that_billing_says(client: AsyncClient, world: World, ada: Person) -> None:
    bob = await a_person(client, email="bob@example.com")
    before = await _tier(client, ada)

    await world.send(_word(world, ada, "Pro", 2), _word(world, bob, "Free", 2))
    await world.settled("auth")

    assert (before, await _tier(client, ada), await _tier(client, bob)) == (None, "Pro", "Free")


async def test_the_newest_word_wins_in_whatever_order_and_however_often_it_is_told(
    client: AsyncClient, world: World, ada: Person
) -> None:
    words = [_word(world, ada, plan, sequence) for sequence, plan in enumerate(("Pro", "Free", "Enterprise"), 1)]
    retold = _word(world, ada, "Free", 2)

    await world.send(words[2], words[0], words[1], *words, retold)
    await world.settled("auth")
    together = await _tier(client, ada)
    for word in (words[2], retold, words[0], _word(world, ada, "Pro", 1)):
        await world.send(word)
        await world.settled("auth")

    assert (together, await _tier(client, ada)) == ("Enterprise", "Enterprise")
    assert await world.fetch("SELECT topic, error FROM auth.dead_letter") == []


async def test_of_what_is_told_in_one_breath_the_newest_word_wins(world: World) -> None:
    ada = Person("", str(uuid7()), "", "")
    await world.send(*(_word(world, ada, plan, place) for place, plan in ((3, "Enterprise"), (1, "Pro"), (2, "Free"))))

    async with world.running("auth"):
        await world.settled("auth")

    assert [tuple(row) for row in await world.fetch("SELECT plan, sequence FROM auth.tier")] == [("Enterprise", 3)]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO auth.tier (tenant_id, plan, sequence) VALUES ($1, 'Enterprise', 9)",
        "UPDATE auth.tier SET plan = 'Enterprise' WHERE tenant_id = $1",
        "DELETE FROM auth.tier WHERE tenant_id = $1",
    ],
)
async def test_what_comes_over_http_can_not_write_a_tier(
    auth: Running, client: AsyncClient, world: World, ada: Person, statement: str
) -> None:
    await world.send(_word(world, ada, "Free", 1))
    await world.settled("auth")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with auth.db.transaction(UUID(ada.workspace_id)) as tx:
            await tx.fetch(statement, UUID(ada.workspace_id))

    assert await _tier(client, ada) == "Free"
