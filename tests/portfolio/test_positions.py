"""Do holdings keep average cost, exactly, through every sequence of trades?"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.schema.values import Side
from services.portfolio.positions import Change, Holding, Trade, worth
from tests.portfolio.builders import PRICES, TRADES

LONG = Holding(Decimal(100), Decimal(1000))
SHORT = Holding(Decimal(-100), Decimal(-1000))
SEQUENCES = st.lists(TRADES, max_size=30)


def buy(quantity: str, price: str) -> Trade:
    return Trade(Side.BUY, Decimal(quantity), Decimal(price))


def sell(quantity: str, price: str) -> Trade:
    return Trade(Side.SELL, Decimal(quantity), Decimal(price))


def run(trades: Sequence[Trade], holding: Holding | None = None) -> tuple[Holding, list[Change]]:
    holding, changes = holding or Holding(), []
    for trade in trades:
        changes.append(holding.after(trade))
        holding = changes[-1].holding
    return holding, changes


@pytest.mark.parametrize(
    ("before", "trade", "quantity", "cost", "realised"),
    [
        (Holding(), buy("100", "10"), "100", "1000", "0"),
        (Holding(), sell("100", "10"), "-100", "-1000", "0"),
        (LONG, buy("100", "20"), "200", "3000", "0"),
        (SHORT, sell("100", "20"), "-200", "-3000", "0"),
        (LONG, sell("40", "12"), "60", "600", "80"),
        (SHORT, buy("40", "12"), "-60", "-600", "-80"),
        (LONG, sell("100", "12"), "0", "0", "200"),
        (SHORT, buy("100", "12"), "0", "0", "-200"),
        (LONG, sell("150", "12"), "-50", "-600", "200"),
        (SHORT, buy("150", "12"), "50", "600", "-200"),
    ],
    ids=[
        "opens long", "opens short", "adds to a long", "adds to a short", "reduces a long", "reduces a short",
        "ends a long", "ends a short", "reverses a long", "reverses a short",
    ],
)  # fmt: skip
def test_a_trade_changes_quantity_cost_and_realised_pnl(
    before: Holding, trade: Trade, quantity: str, cost: str, realised: str
) -> None:
    change = before.after(trade)
    assert change.holding == Holding(Decimal(quantity), Decimal(cost))
    assert change.realised_pnl == Decimal(realised)


def average_cost_in_fractions(trades: Sequence[Trade]) -> tuple[Fraction, Fraction, Fraction]:
    """(Quantity, cost, realised P&L) by the average price per unit, with no rounding anywhere."""
    held, average, realised = Fraction(0), Fraction(0), Fraction(0)
    for trade in trades:
        quantity, price = trade.side.sign * Fraction(trade.quantity), Fraction(trade.price)
        if held * quantity < 0:
            closed = min(abs(held), abs(quantity)) * (1 if held > 0 else -1)
            realised += closed * (price - average)
            held, quantity = held - closed, quantity + closed
        if quantity:
            average = (held * average + quantity * price) / (held + quantity)
            held += quantity
    return held, held * average, realised


@given(SEQUENCES)
def test_average_cost_agrees_with_exact_fractions_up_to_the_rounding_of_each_trade(trades: list[Trade]) -> None:
    held, cost, realised = average_cost_in_fractions(trades)
    holding, changes = run(trades)
    # A trade rounds at most its closing part, its whole and the released cost, each by half a unit.
    tolerance = len(trades) * Fraction(3, 2 * 10**8)
    assert Fraction(holding.quantity) == held
    assert abs(Fraction(holding.cost_basis) - cost) <= tolerance
    assert abs(Fraction(sum(change.realised_pnl for change in changes)) - realised) <= 2 * tolerance


@given(SEQUENCES)
def test_whole_units_at_cents_that_close_at_once_need_no_rounding(trades: list[Trade]) -> None:
    """Only a partial close divides, so without one the fractions are met exactly."""
    whole = [Trade(t.side, t.quantity.to_integral_value() + 1, t.price.quantize(Decimal("0.01"))) for t in trades]
    flattened = []
    for trade in whole:
        flattened += [trade, Trade(Side.SELL if trade.side is Side.BUY else Side.BUY, trade.quantity, trade.price + 1)]
    _, _, realised = average_cost_in_fractions(flattened)
    _, changes = run(flattened)
    assert Fraction(sum(change.realised_pnl for change in changes)) == realised


@given(SEQUENCES)
def test_a_flat_holding_has_no_cost_left(trades: list[Trade]) -> None:
    holding, _ = run(trades)
    if holding.quantity:
        side = Side.SELL if holding.quantity > 0 else Side.BUY
        holding = holding.after(Trade(side, abs(holding.quantity), Decimal("7.77"))).holding
    assert holding == Holding()
    assert holding.average_cost == 0


@given(SEQUENCES)
def test_cost_has_the_sign_of_the_quantity(trades: list[Trade]) -> None:
    for change in run(trades)[1]:
        assert change.holding.cost_basis * change.holding.quantity >= 0


@given(SEQUENCES, PRICES)
def test_what_was_gained_is_what_came_in_plus_what_is_held(trades: list[Trade], mark: Decimal) -> None:
    holding, changes = run(trades)
    realised = sum(change.realised_pnl for change in changes)
    cash = -sum(change.notional for change in changes)
    assert realised + holding.unrealised_pnl(mark) == cash + holding.market_value(mark)


@given(SEQUENCES, st.randoms(use_true_random=False))
def test_cash_does_not_depend_on_the_order_of_trades(trades: list[Trade], random: Random) -> None:
    shuffled = list(trades)
    random.shuffle(shuffled)
    assert sum(c.notional for c in run(trades)[1]) == sum(c.notional for c in run(shuffled)[1])


@given(SEQUENCES)
def test_a_short_mirrors_a_long(trades: list[Trade]) -> None:
    mirror = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}
    holding, changes = run(trades)
    mirrored, mirrored_changes = run([Trade(mirror[t.side], t.quantity, t.price) for t in trades])
    assert (mirrored.quantity, mirrored.cost_basis) == (-holding.quantity, -holding.cost_basis)
    assert [c.realised_pnl for c in mirrored_changes] == [-c.realised_pnl for c in changes]


def test_average_cost_is_shown_to_eight_decimals() -> None:
    assert Holding(Decimal(3), Decimal(10)).average_cost == Decimal("3.33333333")
    assert Holding(Decimal(-3), Decimal(-10)).average_cost == Decimal("3.33333333")


def test_releasing_a_third_leaves_the_rest_of_the_cost() -> None:
    first = Holding(Decimal(3), Decimal(10)).after(sell("1", "4"))
    last = first.holding.after(sell("2", "4"))
    assert (first.released, last.released) == (Decimal("3.33333333"), Decimal("6.66666667"))


@pytest.mark.parametrize(
    ("quantity", "price", "expected"),
    [
        ("0.00000001", "0.5", "0"),
        ("0.00000003", "0.5", "0.00000002"),
        ("0.00000005", "0.5", "0.00000002"),
        ("999999999999.99999999", "999999999999.99999999", "999999999999999999980000.00000000"),
    ],
    ids=["tie to even below", "tie to even above", "tie to even between", "widest"],
)
def test_worth_rounds_half_even_to_eight_decimals(quantity: str, price: str, expected: str) -> None:
    assert worth(Decimal(quantity), Decimal(price)) == Decimal(expected)


def test_rounding_to_nothing_leaves_no_negative_zero() -> None:
    assert str(worth(Decimal("-0.00000001"), Decimal("0.1"))) == "0E-8"
