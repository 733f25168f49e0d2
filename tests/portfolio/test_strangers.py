"""Whose closes may change an account's figures? Those of what it holds; never what somebody imports."""

from __future__ import annotations

from decimal import Decimal

import pytest

from libs.schema.marketdata import BarClosed
from libs.schema.portfolio import PortfolioValued
from libs.schema.values import Side
from tests.portfolio.builders import DAY, a_bar, a_fill
from tests.portfolio.conftest import Desk
from tests.world import World


@pytest.fixture
async def holder(desk: Desk) -> Desk:
    """Holds 100 AAPL, bought at 50.00, over four closes."""
    await desk.receives(a_fill(desk.account_id, 1, Side.BUY, "100", "50"))
    await desk.receives(*(a_bar(number + 1, close) for number, close in enumerate(("50", "51", "49.99", "52"))))
    return desk


async def figures(desk: Desk) -> list[object]:
    paths = ("portfolio", "portfolio/history", "portfolio/performance", "positions")
    return [await desk.get(f"/v1/{path}") for path in paths]


def imported(number: int, close: str, symbol: str) -> BarClosed:
    return a_bar(number, close, symbol).model_copy(update={"backfilled": True})


def closing_later(number: int, close: str, symbol: str) -> BarClosed:
    bar = a_bar(number, close, symbol)
    return bar.model_copy(
        update={"open_time": bar.open_time + DAY * 9 / 16, "occurred_at": bar.occurred_at + DAY * 9 / 16}
    )


async def test_the_figures_are_one_return_a_day_and_none_from_before_the_first(holder: Desk) -> None:
    performance = await holder.get("/v1/portfolio/performance")
    assert [performance["points"], performance["start"], performance["end"]] == [
        4, "2011-03-02T00:00:00Z", "2011-03-05T00:00:00Z",
    ]  # fmt: skip
    assert performance["total_return"] == "0.002"


async def test_the_history_of_what_nobody_holds_changes_nothing(holder: Desk, world: World) -> None:
    before, told = await figures(holder), len(world.published(PortfolioValued))
    await holder.receives(*(imported(number - 3_500, "5", "ZZZ") for number in range(300)))
    assert await figures(holder) == before
    assert len(world.published(PortfolioValued)) == told


async def test_closes_at_other_hours_of_what_is_not_held_change_nothing(holder: Desk) -> None:
    before = await figures(holder)
    await holder.receives(*(closing_later(number, "9", "BBB") for number in range(-1, 6)))
    assert await figures(holder) == before


async def test_the_history_of_what_is_held_changes_nothing_from_before_it_was_bought(holder: Desk) -> None:
    before = await figures(holder)
    await holder.receives(*(imported(number, "5", "AAPL") for number in range(-300, 1)))
    assert await figures(holder) == before


async def test_what_was_bought_today_is_not_worth_an_imported_price_of_long_ago(desk: Desk) -> None:
    await desk.receives(a_fill(desk.account_id, 1, Side.BUY, "100", "50"), imported(-300, "5", "AAPL"))
    portfolio = await desk.get("/v1/portfolio")
    assert [portfolio["equity"], portfolio["as_of"]] == ["100000.00", None]


async def test_imported_history_makes_no_point(desk: Desk, world: World) -> None:
    await desk.receives(a_fill(desk.account_id, 1, Side.BUY, "100", "50"), imported(1, "51", "AAPL"))
    assert await desk.history() == []
    assert world.published(PortfolioValued) == []


async def test_a_loss_on_the_first_day_is_a_loss_and_a_drawdown(desk: Desk) -> None:
    await desk.receives(a_fill(desk.account_id, 1, Side.BUY, "100", "500"), a_bar(1, "400"), a_bar(2, "450"))
    performance = await desk.get("/v1/portfolio/performance")
    assert [performance["total_return"], performance["max_drawdown"]] == ["-0.05", "-0.1"]


async def test_a_day_without_a_position_is_a_day_without_a_return(desk: Desk) -> None:
    """Bought on the first, sold on the second, bought again on the sixth: three days of nothing are days all the same."""
    await desk.receives(a_fill(desk.account_id, 1, Side.BUY, "100", "100"), a_bar(1, "110"))
    await desk.receives(a_fill(desk.account_id, 2, Side.SELL, "100", "110"))
    await desk.receives(*(a_bar(number, "100") for number in (2, 3, 4, 5)))
    await desk.receives(a_fill(desk.account_id, 6, Side.BUY, "100", "100"), a_bar(6, "105"))
    assert [day for day, _ in await desk.history()] == ["02", "03", "07"]
    performance = await desk.get("/v1/portfolio/performance")
    assert performance["points"] == 6
    returns = [Decimal("0.01"), Decimal(0), Decimal(0), Decimal(0), Decimal(0), Decimal(101_500) / 101_000 - 1]
    mean = sum(returns) / 6
    variance = sum((value - mean) ** 2 for value in returns) / 5
    assert Decimal(str(performance["volatility"])) == pytest.approx((variance * 252).sqrt(), abs=Decimal("1e-12"))
