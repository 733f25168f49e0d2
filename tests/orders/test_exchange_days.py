"""A day order ends with the exchange's day, and nothing trades in a bar in which nothing was traded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from libs.schema.exchanges import reports_volume, time_zone_of
from libs.schema.orders import OrderExpired, OrderFilled
from libs.schema.values import Timeframe
from tests.orders.builders import LONG_AGO, a_bar, a_signal, ahead, day, listed
from tests.orders.conftest import Workspace, open_workspace
from tests.world import World

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("symbol", "zone"),
    [
        ("BHP-AX", "Australia/Sydney"),
        ("BHP.AX", "Australia/Sydney"),
        ("BP.L", "Europe/London"),
        ("RELIANCE.NS", "Asia/Kolkata"),
        ("0700.HK", "Asia/Hong_Kong"),
        ("ENI.MI", "Europe/Rome"),
        ("7203.T", "Asia/Tokyo"),
        ("BRK-B", "UTC"),
        ("BRK.B", "UTC"),
        ("BTC-USD", "UTC"),
        ("AAPL", "UTC"),
        ("AX", "UTC"),
    ],
)
def test_a_suffix_tells_the_zone_of_the_exchange_and_nothing_else_does(symbol: str, zone: str) -> None:
    assert time_zone_of(symbol) == zone


@pytest.mark.parametrize(
    ("symbol", "asset_class", "reported"),
    [("AAPL", "EQUITY", True), ("BTC-USD", "CRYPTO", True), ("EURUSD", "FX", False), ("EURGBP=X", "EQUITY", False),
     ("AAPL", None, False)],
)  # fmt: skip
def test_a_market_of_currencies_reports_no_volume(symbol: str, asset_class: str | None, *, reported: bool) -> None:
    assert reports_volume(symbol, asset_class) is reported


def next_year(month: int) -> datetime:
    """The fourteenth of a month of the year after this one."""
    return datetime(ahead(0).year + 1, month, 14, tzinfo=UTC)


@pytest.mark.parametrize(("month", "opens", "fills"), [(1, -1, 2), (7, 0, 3)])
async def test_a_day_order_lives_through_the_session_in_sydney_in_summer_and_in_winter(
    world: World, month: int, opens: int, fills: int
) -> None:
    midnight = next_year(month)
    lows = ["41", "41", "41", "39.90", "40.50", "40.80"]
    async with world.running("orders", orders_venue_timeframe="1h") as running:
        await world.publish(listed("BHP-AX"))
        workspace = await open_workspace(world, running)
        await world.settled("orders")
        wanted = {"symbol": "BHP-AX", "order_type": "LIMIT", "limit_price": "40", "time_in_force": "DAY"}
        placed = (await workspace.orders_it(**wanted)).json()
        assert placed["day_zone"] == "Australia/Sydney"
        await workspace.sees(
            *(
                a_bar(midnight + (opens + n) * HOUR, "41.20", low=low, timeframe=Timeframe.H1, symbol="BHP-AX")
                for n, low in enumerate(lows)
            )
        )

        (filled,) = await world.expect(OrderFilled, 1)
        assert (filled.event.last_price, filled.event.occurred_at) == (Decimal(40), midnight + fills * HOUR)


async def test_a_listing_may_name_the_zone_and_an_unknown_one_is_said_to_be_utc(
    workspace: Workspace, world: World
) -> None:
    await workspace.hears(listed("IBM", time_zone="America/New_York"))
    limit = {"order_type": "LIMIT", "limit_price": "10", "quantity": "1", "time_in_force": "DAY"}

    zones = [(await workspace.orders_it(symbol=symbol, **limit)).json()["day_zone"] for symbol in ("IBM", "AAPL")]
    lasting = (await workspace.orders_it(**limit | {"time_in_force": "GTC"})).json()["day_zone"]
    assert (zones, lasting) == (["America/New_York", "UTC"], None)


async def test_orders_wait_for_a_bar_with_trades_and_day_orders_end_waiting(workspace: Workspace, world: World) -> None:
    await workspace.sees(a_bar(LONG_AGO, "50"))
    await workspace.orders_it()
    await workspace.orders_it(time_in_force="DAY")
    await workspace.sees(a_bar(ahead(1), "50", volume="0"), a_bar(ahead(2), "47", volume="500"))

    (filled,) = await world.expect(OrderFilled, 1)
    assert (filled.event.last_price, filled.event.occurred_at) == (Decimal(47), ahead(2))
    (expired,) = await world.expect(OrderExpired, 1)
    assert expired.event.occurred_at == ahead(2)


async def test_a_signal_that_is_heard_late_passes_over_bars_without_trades(workspace: Workspace, world: World) -> None:
    await workspace.sees(a_bar(day(2), "50", volume="0"), a_bar(day(3), "48", volume="0"), a_bar(day(4), "47"))
    await workspace.hears(a_signal(day(2)))

    (filled,) = await world.expect(OrderFilled, 1)
    assert (filled.event.last_price, filled.event.occurred_at) == (Decimal(47), day(4))


async def test_currencies_trade_without_volume(workspace: Workspace, world: World) -> None:
    await workspace.hears(listed("EURUSD", asset_class="FX"))
    early, late = a_signal(day(2), symbol="EURUSD", price="1"), a_signal(day(3), symbol="EURUSD", price="1")
    await workspace.hears(early)
    await workspace.sees(*(a_bar(day(n), "1", symbol="EURUSD", volume="0") for n in (2, 3)))
    await workspace.hears(late)

    fills = await world.expect(OrderFilled, 2)
    assert [fill.event.occurred_at for fill in fills] == [day(2), day(3)]
