"""The books of whoever was erased are records: they are posted to, however late, without their words, and valued no more."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

from libs.kit.ids import uuid7
from libs.kit.personal_data.answers import erase_holdings
from libs.schema.privacy import PersonalDataErased, UserErased
from libs.schema.values import Side
from services.portfolio.personal_data import HOLDINGS
from services.portfolio.repository import lock_books
from tests.portfolio.builders import a_bar, a_fill, an_account, day
from tests.portfolio.conftest import Desk
from tests.world import World, eventually


def a_farewell(desk: Desk) -> UserErased:
    return UserErased(
        occurred_at=day(2), erasure_id=uuid7(), user_id=uuid7(), workspace_id=desk.tenant_id,
        workspace_ids=(desk.tenant_id,),
    )  # fmt: skip


async def test_what_comes_late_is_posted_and_says_nothing_of_anybody(desk: Desk, world: World) -> None:
    late = uuid7()
    await desk.receives(a_fill(desk.account_id, 1, Side.BUY, "1", "100"), a_bar(1, "100"), a_farewell(desk))
    await desk.receives(an_account(late), a_fill(late, 2, Side.BUY, "100", "101"), a_bar(3, "102"))

    assert [row[0] for row in await world.fetch("SELECT name FROM portfolio.book")] == ["erased", "erased"]
    entries = await world.fetch("SELECT kind FROM portfolio.journal_entry WHERE account_id = $1 ORDER BY kind", late)
    assert [row[0] for row in entries] == ["deposit", "fill"]
    assert await world.fetch("SELECT FROM portfolio.equity_point") == []
    assert await world.fetch("SELECT FROM portfolio.dead_letter") == []
    [answer] = await world.expect(PersonalDataErased, 1)
    assert {held.table: held.rows for held in answer.event.erased}["equity_point"] == 1
    assert {kept.table: kept.rows for kept in answer.event.kept}["journal_entry"] == 2


async def test_an_erasure_locks_books_in_the_order_in_which_fills_do(desk: Desk, world: World) -> None:
    """The one with the smaller id was made later, so that it stands behind the other in the table."""
    smaller = UUID(int=1)
    await desk.receives(an_account(smaller))

    async def erase() -> None:
        async with desk.running.db.work() as tx:
            await erase_holdings(tx, HOLDINGS, a_farewell(desk), timedelta(days=1), tx.cause)

    async def waits() -> None:
        assert await world.fetch("SELECT FROM pg_locks WHERE NOT granted")

    async with desk.running.db.work() as fills:
        await lock_books(fills, [smaller])
        erasing = asyncio.create_task(erase())
        await eventually(waits)
        assert await lock_books(fills, [desk.account_id])
    await erasing
