"""Who may write a trail, and what if several do? It is only added to, and its numbers have no gaps."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from uuid import UUID

import asyncpg
import pytest

from libs.kit.db import Database
from libs.kit.ids import uuid7
from libs.schema.audit import AuditHeadPublished
from services.auth.audit.chain import Walk
from services.auth.commands import audit
from services.auth.model import SecurityAct
from services.auth.tokens import Issuing
from tests.auth.builders import issuing
from tests.auth.trails import a_security_act, an_act, chain_of, has_recorded, tell
from tests.world import Running, World

CHANGES = (
    "UPDATE auth.audit_entry SET reason = 'none'",
    "DELETE FROM auth.audit_entry",
    "TRUNCATE auth.audit_entry",
)


ADDITION = "INSERT INTO auth.audit_entry SELECT * FROM auth.audit_entry"


@pytest.fixture
async def here(world: World, auth: Running) -> UUID:
    """A workspace of which one act is recorded."""
    workspace = uuid7()
    await tell(world, an_act(workspace))
    await has_recorded(auth.db, workspace, 1)
    return workspace


@pytest.mark.parametrize("change", CHANGES)
async def test_whoever_writes_the_trail_may_not_change_it(auth: Running, here: UUID, change: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        async with auth.db.work() as tx:
            await tx.fetch(change)


@pytest.mark.parametrize("change", [*CHANGES, ADDITION, "UPDATE auth.audit_chain SET last_sequence = 0"])
async def test_whoever_answers_requests_may_only_read_the_trail(auth: Running, here: UUID, change: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        async with auth.db.transaction(here) as tx:
            await tx.fetch(change)


@pytest.mark.parametrize("change", CHANGES)
async def test_not_even_an_administrator_changes_what_is_recorded_by_mistake(
    world: World, here: UUID, change: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only added to"):
        await world.fetch(change)
    assert [row[0] for row in await world.fetch("SELECT sequence FROM auth.audit_entry")] == [1]


async def test_transactions_that_record_at_the_same_time_leave_no_gap_and_no_act_twice(
    world: World, auth: Running
) -> None:
    workspaces = [uuid7() for _ in range(3)]
    acts = [a_security_act(workspace, n) for n in range(40) for workspace in workspaces]
    chance = random.Random(7)
    batches = [chance.sample(acts, 30) for _ in range(12)] + [acts]

    await asyncio.gather(*(_record(auth.db, batch) for batch in batches))

    for workspace in workspaces:
        links = await chain_of(auth.db, workspace)
        assert Walk(workspace, {}).along(links) is None
        assert sorted(one.entry.event_id for one in links) == sorted(
            act.event_id for act in acts if act.workspace_id == workspace
        )


async def test_two_replicas_that_come_and_go_leave_no_gap_and_lose_nothing(world: World) -> None:
    workspaces = [uuid7() for _ in range(6)]
    async with AsyncExitStack() as replicas:
        first = await replicas.enter_async_context(world.running("auth"))
        await tell(world, *(an_act(workspace, n) for n in range(20) for workspace in workspaces))
        async with world.running("auth"):
            await tell(world, *(an_act(workspace, n) for n in range(20, 40) for workspace in workspaces))
        await tell(world, *(an_act(workspace, n) for n in range(40, 60) for workspace in workspaces))

        for workspace in workspaces:
            links = await has_recorded(first.db, workspace, 60)
            assert [one.entry.target_id for one in links] == [f"number {n}" for n in range(60)]
            assert Walk(workspace, {}).along(links) is None


async def test_replicas_that_sign_at_the_same_time_tell_each_head_once(world: World, auth: Running) -> None:
    workspaces = [uuid7() for _ in range(8)]
    await _record(auth.db, [a_security_act(workspace, n) for n in range(3) for workspace in workspaces])

    published = await asyncio.gather(*(_publish(auth.db, issuing(world)) for _ in range(6)))

    assert sum(published) == len(workspaces)
    heads = await world.expect(AuditHeadPublished, len(workspaces))
    assert {(head.event.workspace_id, head.event.sequence) for head in heads} == {(one, 3) for one in workspaces}
    assert await _publish(auth.db, issuing(world)) == 0


async def _publish(db: Database, how: Issuing) -> int:
    async with db.work() as tx:
        return await audit.publish_heads(tx, how)


async def _record(db: Database, acts: Sequence[SecurityAct]) -> None:
    async with db.work() as tx:
        await audit.record(tx, acts)
