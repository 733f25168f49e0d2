"""The backtest by hand-worked examples, and what holds for every backtest."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.schema.values import Side
from services.signals.backtest import BacktestResult, EquityPoint, Leg, OpenOrder, RefusedOrder, Trade, run
from services.signals.rules import Bar, Parameters
from tests.signals.builders import MONDAY, a_bar, bar_series, closes, decisions, parameters, rule

CASH = Decimal(100_000)
RATE = Decimal("0.001")
BREAKOUT = rule("donchian", entry=1, exit=1)
CROSS = rule("sma_cross", fast=1, slow=2)


def backtest(chosen: Parameters, bars: list[Bar], size: int = 100, currency: str = "USD") -> BacktestResult:
    return run([Leg("AAPL", chosen, Decimal(size))], {"AAPL": bars}, CASH, RATE, currency)


def day(number: int) -> timedelta:
    return timedelta(days=number)


def test_a_tiny_run_by_hand() -> None:
    bars = [
        a_bar(10, day=0),
        a_bar(12, day=1),  # Above 10: buy 100 at the next open.
        a_bar("12.50", day=2, open_="12.345"),  # 1234.50, fee 1.2345.
        a_bar(8, day=3),  # Below 12.345: sell 200 at the next open.
        a_bar(9, day=4, open_="7"),  # 1400.00, fee 1.40; closed at 7: 700 - 1234.50 = -534.50.
    ]
    result = backtest(BREAKOUT, bars)
    bought = Trade("AAPL", Side.BUY, Decimal(100), Decimal("12.345"), Decimal("1.23"), MONDAY + day(2), None)
    reversed_ = Trade("AAPL", Side.SELL, Decimal(200), Decimal(7), Decimal("1.40"), MONDAY + day(4), Decimal("-534.5"))
    assert result.trades == (bought, reversed_)
    assert [point.equity for point in result.equity_curve] == [
        CASH,
        CASH,
        CASH + Decimal("15.50") - Decimal("1.23"),  # 100 * (12.50 - 12.345)
        CASH - Decimal("434.50") - Decimal("1.23"),  # 100 * (8 - 12.345)
        CASH - Decimal("534.50") - 200 - Decimal("2.63"),  # short 100 from 7, now 9
    ]
    assert result.equity_curve[0] == EquityPoint(MONDAY + day(1), CASH)
    assert (result.realised_pnl, result.unrealised_pnl, result.fees) == (
        Decimal("-534.50"),
        Decimal(-200),
        Decimal("2.63"),
    )
    assert result.equity == result.equity_curve[-1].equity
    # Day 4 closed above day 3: the reversal of it stays open.
    assert result.open_orders == (OpenOrder("AAPL", Side.BUY, Decimal(200), MONDAY + day(5)),)


def test_commission_is_rounded_half_even_to_cents() -> None:
    bars = [a_bar(10, day=0), a_bar(12, day=1), a_bar(12, day=2, open_="12.45")]
    assert backtest(BREAKOUT, bars, size=100).fees == Decimal("1.24")  # 1.245
    bars[2] = a_bar(12, day=2, open_="12.55")
    assert backtest(BREAKOUT, bars, size=100).fees == Decimal("1.26")  # 1.255


@pytest.mark.parametrize(("currency", "fee"), [("JPY", "1"), ("KWD", "1.234"), ("BTC", "1.2345")])
def test_commission_is_rounded_by_the_currency(currency: str, fee: str) -> None:
    bars = [a_bar(10, day=0), a_bar(12, day=1), a_bar(12, day=2, open_="12.345")]
    assert backtest(BREAKOUT, bars, currency=currency).fees == Decimal(fee)


def test_what_the_account_can_not_pay_is_refused_and_told() -> None:
    bars = [a_bar(10, day=0), a_bar(12, day=1), a_bar(20, day=2, open_="20"), a_bar(30, day=3)]
    legs = [Leg("AAPL", BREAKOUT, Decimal(80))]
    result = run(legs, {"AAPL": bars}, Decimal(1000), RATE)

    assert [(trade.quantity, trade.fee) for trade in result.trades] == [(49, Decimal("0.98"))]
    cut = RefusedOrder("AAPL", Side.BUY, Decimal(31), MONDAY + day(2), "insufficient-cash")
    assert result.refused_orders == (cut,)
    dear = run([Leg("AAPL", BREAKOUT, Decimal(90))], {"AAPL": bars}, Decimal(1000), RATE)
    assert [one.reason for one in dear.refused_orders] == ["insufficient-buying-power"]
    assert dear.trades == ()


def test_an_order_waits_for_a_bar_with_trades_unless_the_market_reports_none() -> None:
    bars = [a_bar(10, day=0), a_bar(12, day=1), replace(a_bar(12, day=2), volume=Decimal(0)), a_bar(13, day=3)]
    legs = [Leg("AAPL", BREAKOUT, Decimal(1))]

    def times(*without_volume: str) -> list[timedelta]:
        trades = run(legs, {"AAPL": bars}, CASH, RATE, "USD", without_volume).trades
        return [trade.time - MONDAY for trade in trades]

    assert (times(), times("AAPL")) == ([day(3)], [day(2)])


def test_a_signal_on_the_last_bar_leaves_an_open_order() -> None:
    result = backtest(BREAKOUT, closes(10, 12))
    assert result.trades == ()
    assert result.open_orders == (OpenOrder("AAPL", Side.BUY, Decimal(100), MONDAY + day(2)),)
    assert result.equity == CASH


def test_two_instruments_share_an_account_and_an_order_waits_for_its_own_instrument() -> None:
    rising = [a_bar(price, day=number) for number, price in ((0, 10), (1, 12), (4, 15))]
    steady = [a_bar(price, day=number, symbol="IBM") for number, price in ((0, 50), (2, 50), (3, 60), (4, 70))]
    legs = [Leg("AAPL", BREAKOUT, Decimal(10)), Leg("IBM", BREAKOUT, Decimal(1))]
    result = run(legs, {"AAPL": rising, "IBM": steady, "GOOG": closes(1)}, CASH, RATE)
    assert [(trade.symbol, trade.price, trade.time) for trade in result.trades] == [
        ("AAPL", Decimal(15), MONDAY + day(4)),
        ("IBM", Decimal(70), MONDAY + day(4)),
    ]
    assert [point.time for point in result.equity_curve] == [MONDAY + day(number) for number in (1, 2, 3, 4, 5)]
    assert result.equity == CASH - Decimal("0.15") - Decimal("0.07")


def test_two_strategies_on_one_instrument_net_in_one_position() -> None:
    bars = closes(10, 12, 12, 13)
    legs = [Leg("AAPL", BREAKOUT, Decimal(10)), Leg("AAPL", CROSS, Decimal(5))]
    result = run(legs, {"AAPL": bars}, CASH, Decimal(0))
    assert [trade.quantity for trade in result.trades] == [10]
    again = run([legs[0], legs[0]], {"AAPL": bars}, CASH, Decimal(0))
    assert again.unrealised_pnl == 2 * result.unrealised_pnl == 20


def test_bars_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="order of their time"):
        backtest(BREAKOUT, closes(1, 2)[::-1])
    with pytest.raises(ValueError, match="order of their time"):
        backtest(BREAKOUT, closes(1) * 2)


def test_an_instrument_without_bars_is_refused() -> None:
    with pytest.raises(ValueError, match="no bars of AAPL"):
        backtest(BREAKOUT, [])


def test_a_backtest_without_cash_is_refused() -> None:
    with pytest.raises(ValueError, match="starts with cash"):
        run([Leg("AAPL", BREAKOUT, Decimal(1))], {"AAPL": closes(1)}, Decimal(0), RATE)


@given(parameters, bar_series())
def test_trades_are_the_decisions_each_at_the_next_open(chosen: Parameters, bars: list[Bar]) -> None:
    # So small that the cash pays for whatever is decided.
    result = backtest(chosen, bars, size=1)
    opens = {earlier.close_time: later for earlier, later in pairwise(bars)}
    made = decisions(chosen, bars)[1]
    filled = [decision for decision in made if decision.decided_at in opens]
    assert [(trade.time, trade.price, trade.quantity) for trade in result.trades] == [
        (opens[decision.decided_at].open_time, opens[decision.decided_at].open, decision.quantity(Decimal(1)))
        for decision in filled
    ]
    assert len(result.open_orders) == len(made) - len(filled)


@given(parameters, bar_series())
def test_equity_equals_cash_plus_position_at_market(chosen: Parameters, bars: list[Bar]) -> None:
    """An account kept in cash alone comes to the same as the one kept in cost and profit."""
    result = backtest(chosen, bars)
    flows = [trade.side.sign * trade.quantity for trade in result.trades]
    cash = CASH - sum(flow * trade.price + trade.fee for flow, trade in zip(flows, result.trades, strict=True))
    assert result.equity == cash + sum(flows) * bars[-1].close
    assert result.equity_curve[-1].equity == result.equity
    assert len(result.equity_curve) == len(bars)


@given(parameters, bar_series(min_size=2), bar_series(min_size=2), st.data())
def test_changing_later_bars_changes_no_earlier_equity(
    chosen: Parameters, bars: list[Bar], other: list[Bar], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(1, min(len(bars), len(other))))
    ours, theirs = backtest(chosen, bars), backtest(chosen, bars[:cut] + other[cut:])
    assert ours.equity_curve[:cut] == theirs.equity_curve[:cut]
