"""What a person wants to risk is kept beside their accounts: auth's newest word, for a later change to hold orders to."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import asyncpg
import pytest

from libs.kit.ids import uuid7
from libs.kit.outbox import OutboxRow
from libs.schema.auth import RiskSettingsChanged, RiskTolerance
from tests.orders.builders import MONDAY
from tests.world import Running, World

ADA, BOB = uuid7(), uuid7()
PERSON = uuid7()


def _word(world: World, loss: str, sequence: int, *, workspace: UUID = ADA) -> OutboxRow:
    event = RiskSettingsChanged(
        occurred_at=MONDAY, user_id=PERSON, workspace_id=workspace, risk_tolerance=RiskTolerance.LOW,
        max_daily_loss=Decimal(loss), currency="INR",
    )  # fmt: skip
    return world.envelope(event, tenant_id=workspace, subject=workspace, sequence=sequence)


async def _kept(world: World) -> dict[UUID, tuple[object, ...]]:
    rows = await world.fetch("SELECT * FROM orders.risk_setting")
    return {row["tenant_id"]: tuple(row)[1:] for row in rows}


async def test_what_auth_says_is_kept_for_each_workspace(world: World, running: Running) -> None:
    await world.send(_word(world, "250.50", 1), _word(world, "99", 4, workspace=BOB))
    await world.settled("orders")

    assert await _kept(world) == {
        ADA: (PERSON, "LOW", Decimal("250.5"), "INR", 1), BOB: (PERSON, "LOW", Decimal(99), "INR", 4),
    }  # fmt: skip


async def test_the_newest_word_wins_in_whatever_order_and_however_often_it_is_told(
    world: World, running: Running
) -> None:
    words = [_word(world, str(sequence), sequence) for sequence in (1, 2, 3)]

    await world.send(words[2], words[0], words[1], *words)
    await world.settled("orders")
    together = (await _kept(world))[ADA]
    for word in (words[1], _word(world, "2", 2), words[0]):
        await world.send(word)
        await world.settled("orders")

    assert together == (await _kept(world))[ADA] == (PERSON, "LOW", Decimal(3), "INR", 3)


async def test_of_what_is_told_in_one_breath_the_newest_word_wins(world: World) -> None:
    await world.send(*(_word(world, str(sequence), sequence) for sequence in (3, 1, 2)))

    async with world.running("orders"):
        await world.settled("orders")

    assert (await _kept(world))[ADA] == (PERSON, "LOW", Decimal(3), "INR", 3)


async def test_what_comes_over_http_can_not_write_them(world: World, running: Running) -> None:
    await world.send(_word(world, "1", 1))
    await world.settled("orders")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with running.db.transaction(ADA) as tx:
            await tx.fetch("UPDATE orders.risk_setting SET max_daily_loss = 9")

    async with running.db.transaction(BOB) as tx:
        assert await tx.fetch("SELECT * FROM orders.risk_setting") == []
