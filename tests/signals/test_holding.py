"""Average cost: nothing is lost or made by the way a position is cut."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from services.signals.backtest.holding import Holding
from tests.signals.builders import exactly, prices

quantities = st.integers(-1000, 1000).filter(bool).map(Decimal)


def test_opening_closes_nothing() -> None:
    held = Holding()
    assert held.trade(Decimal(100), Decimal(10)) is None
    assert held.trade(Decimal(100), Decimal(20)) is None
    assert (held.quantity, held.cost) == exactly(200, 3000)


def test_a_part_is_closed_at_the_average_cost() -> None:
    held = Holding(Decimal(200), Decimal(3000))
    assert held.trade(Decimal(-50), Decimal(18)) == 150
    assert (held.quantity, held.cost) == exactly(150, 2250)


def test_a_short_wins_when_the_price_falls() -> None:
    held = Holding()
    held.trade(Decimal(-100), Decimal(10))
    assert held.unrealised(Decimal(9)) == 100
    assert held.trade(Decimal(40), Decimal(9)) == 40
    assert (held.quantity, held.cost) == exactly(-60, -600)


def test_a_reversal_closes_all_and_opens_the_rest() -> None:
    held = Holding(Decimal(100), Decimal(1000))
    assert held.trade(Decimal(-300), Decimal(12)) == 200
    assert (held.quantity, held.cost) == exactly(-200, -2400)


def test_the_released_cost_is_rounded_half_even_to_eight_decimals() -> None:
    held = Holding(Decimal(3), Decimal(1))
    assert held.trade(Decimal(-1), Decimal(1)) == 1 - Decimal("0.33333333")
    assert held.cost == Decimal("0.66666667")


@given(st.lists(st.tuples(quantities, prices), min_size=1, max_size=40), prices)
def test_realised_and_unrealised_are_together_what_cash_and_market_say(
    trades: list[tuple[Decimal, Decimal]], mark: Decimal
) -> None:
    held = Holding()
    realised = sum(held.trade(quantity, price) or 0 for quantity, price in trades)
    cash = -sum(quantity * price for quantity, price in trades)
    assert realised + held.unrealised(mark) == cash + held.quantity * mark


@given(st.lists(st.tuples(quantities, prices), min_size=1, max_size=40))
def test_a_flat_position_has_no_cost_left(trades: list[tuple[Decimal, Decimal]]) -> None:
    held = Holding()
    for quantity, price in trades:
        held.trade(quantity, price)
    held.trade(-held.quantity, Decimal(5))
    assert (held.quantity, held.cost) == exactly(0, 0)
