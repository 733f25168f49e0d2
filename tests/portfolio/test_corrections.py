"""A close that was wrong is replaced, and with it whatever was valued at it."""

from __future__ import annotations

from decimal import Decimal

from libs.schema.marketdata import BarCorrected
from libs.schema.portfolio import PortfolioValued
from libs.schema.values import Side
from tests.portfolio.builders import a_bar, a_fill
from tests.portfolio.conftest import Desk
from tests.world import World


def a_correction(number: int, wrong: str, right: str, symbol: str = "AAPL") -> BarCorrected:
    before, after = a_bar(number, wrong, symbol), a_bar(number, right, symbol)
    prices = ("open", "high", "low", "close", "volume")
    previous = {f"previous_{name}": getattr(before, name) for name in prices}
    return BarCorrected(**after.model_dump(exclude={"backfilled"}), **previous)


async def test_points_that_saw_a_wrong_close_are_valued_again(desk: Desk, world: World) -> None:
    await desk.receives(a_fill(desk.account_id, 1, Side.BUY, "100", "50"))
    await desk.receives(a_bar(1, "50"), a_bar(2, "5"), a_bar(3, "52"))
    await desk.receives(a_correction(2, "5", "51"))

    assert await desk.history() == [("02", "100000.00"), ("03", "100100.00"), ("04", "100200.00")]
    told = [(e.event.occurred_at.day, e.event.equity) for e in await world.expect(PortfolioValued, 4)]
    assert told[3] == (3, Decimal(100_100))


async def test_a_position_is_shown_at_the_close_as_it_was_corrected(desk: Desk) -> None:
    await desk.receives(a_fill(desk.account_id, 1, Side.BUY, "100", "50"), a_bar(1, "5"))
    await desk.receives(a_correction(1, "5", "6"), a_correction(1, "6", "51"))
    position = await desk.get("/v1/positions/AAPL")
    assert [position["market_price"], position["unrealised_pnl"]] == ["51.00", "100.00"]


async def test_a_correction_of_what_nobody_holds_changes_nothing(desk: Desk, world: World) -> None:
    await desk.receives(a_fill(desk.account_id, 1, Side.BUY, "100", "50"), a_bar(1, "50"), a_bar(1, "9", "IBM"))
    await desk.receives(a_correction(1, "9", "10", "IBM"))
    assert await desk.history() == [("02", "100000.00")]
    await world.expect(PortfolioValued, 1)
