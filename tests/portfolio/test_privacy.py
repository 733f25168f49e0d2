"""The books of whoever was erased are records: they are posted to, however late, without their words, and valued no more."""

from __future__ import annotations

from libs.kit.ids import uuid7
from libs.schema.privacy import PersonalDataErased, UserErased
from libs.schema.values import Side
from tests.portfolio.builders import a_bar, a_fill, an_account, day
from tests.portfolio.conftest import Desk
from tests.world import World


def a_farewell(desk: Desk) -> UserErased:
    return UserErased(
        occurred_at=day(2), erasure_id=uuid7(), user_id=uuid7(), workspace_id=desk.tenant_id,
        workspace_ids=(desk.tenant_id,),
    )  # fmt: skip


async def test_what_comes_late_is_posted_and_says_nothing_of_anybody(desk: Desk, world: World) -> None:
    late = uuid7()
    await desk.receives(a_bar(1, "100"), a_farewell(desk))
    await desk.receives(an_account(late), a_fill(late, 2, Side.BUY, "100", "101"), a_bar(3, "102"))

    assert [row[0] for row in await world.fetch("SELECT name FROM portfolio.book")] == ["erased", "erased"]
    entries = await world.fetch("SELECT kind FROM portfolio.journal_entry WHERE account_id = $1 ORDER BY kind", late)
    assert [row[0] for row in entries] == ["deposit", "fill"]
    assert await world.fetch("SELECT FROM portfolio.equity_point") == []
    assert await world.fetch("SELECT FROM portfolio.dead_letter") == []
    [answer] = await world.expect(PersonalDataErased, 1)
    assert {held.table: held.rows for held in answer.event.erased}["equity_point"] == 1
    assert {kept.table: kept.rows for kept in answer.event.kept}["journal_entry"] == 1
