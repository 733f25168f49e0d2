"""The rules by hand-worked examples."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from pydantic import ValidationError

from libs.schema.values import SignalType
from services.signals.rules import PARAMETERS, Decision, Parameters, start, step
from tests.signals.builders import a_bar, closes, decisions, exactly, rule, signals

BUY, SELL, SHORT, COVER = SignalType.BUY, SignalType.SELL, SignalType.SHORT, SignalType.COVER
CROSS = rule("sma_cross", fast=1, slow=3)
RSI = rule("rsi_reversion", period=2, buy_below="30", sell_above="70")
BREAKOUT = rule("donchian", entry=3, exit=2)
LONG_ONLY = rule("donchian", entry=3, exit=2, allow_short=False)


def the_decision(chosen: Parameters, *values: int | str) -> Decision:
    (*_, last) = decisions(chosen, closes(*values))[1]
    return last


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param((3, 2, 1, 9), [(3, BUY)], id="rise through"),
        pytest.param((1, 2, 9, 9), [], id="already above where both first exist"),
        pytest.param((5, 5, 5, 5, 6), [(4, BUY)], id="equal before, above now"),
        pytest.param((3, 2, 1, 9, 1), [(3, BUY), (4, SELL)], id="rise and fall"),
        pytest.param((3, 3, 3, 6, 6, 6, 5), [(3, BUY), (6, SELL)], id="equal in between"),
        pytest.param((3, 3, 3, 6, 6, 6, 7), [(3, BUY)], id="touches and goes on"),
        pytest.param((9, 9, 9, 1, 1), [], id="a fall when flat is nothing"),
    ],
)
def test_sma_cross_follows_the_crossings(values: tuple[int, ...], expected: list[tuple[int, SignalType]]) -> None:
    assert signals(CROSS, closes(*values)) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # Changes -1, -1: no gain, RSI 0.
        pytest.param((10, 9, 8), [(2, BUY)], id="oversold as soon as there is a value"),
        # Then gain (0+4)/2 = 2, loss (1+0)/2 = 0.5: RSI 80.
        pytest.param((10, 9, 8, 12), [(2, BUY), (3, SELL)], id="overbought ends it"),
        # Gain (0+1)/2 = 0.5, loss (1+0)/2 = 0.5: RSI 50.
        pytest.param((10, 9, 8, 9), [(2, BUY)], id="between the thresholds nothing changes"),
        pytest.param((10, 11, 12, 13), [], id="overbought when flat is nothing"),
        # Gain 3/2, loss 7/2: RSI exactly 30.
        pytest.param((100, 103, 96), [], id="the threshold itself is not below"),
        # From falls of 3 and 3, gain 7/2, loss 3/2: RSI exactly 70.
        pytest.param((100, 97, 94, 101), [(2, BUY)], id="the other threshold itself is not above"),
        pytest.param((10, 10, 10), [], id="where nothing moved nothing is oversold"),
        pytest.param((10, 10, 10, 9), [(3, BUY)], id="a fall after a standstill is one"),
    ],
)
def test_rsi_reversion_follows_its_thresholds(values: tuple[int, ...], expected: list[tuple[int, SignalType]]) -> None:
    assert signals(RSI, closes(*values)) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param((5, 6, 7, 8), [(3, BUY)], id="above the highest high"),
        pytest.param((5, 6, 7, 7), [], id="the high itself is not above"),
        pytest.param((5, 6, 7, 4), [(3, SHORT)], id="below the lowest low"),
        pytest.param((5, 6, 7, 5), [], id="the low itself is not below"),
        pytest.param((5, 6, 8), [], id="not before three bars were seen"),
        # On day 6 the two bars before are 9 and 10 and the three are 8, 9 and 10: 8 leaves, but does not reverse.
        pytest.param((5, 6, 7, 8, 9, 10, 8), [(3, BUY), (6, SELL)], id="a long ends at the exit channel"),
        pytest.param((9, 8, 7, 6, 5, 4, 6), [(3, SHORT), (6, COVER)], id="a short ends at the exit channel"),
        pytest.param((9, 8, 7, 6, 5, 4, 5), [(3, SHORT)], id="its high itself does not end a short"),
        pytest.param((5, 6, 7, 8, 4), [(3, BUY), (4, SHORT)], id="long reverses to short"),
        pytest.param((9, 8, 7, 6, 10), [(3, SHORT), (4, BUY)], id="short reverses to long"),
        pytest.param((5, 6, 7, 8, 9, 10, 8, 8), [(3, BUY), (6, SELL)], id="nothing to leave when flat"),
    ],
)
def test_donchian_follows_breakouts(values: tuple[int, ...], expected: list[tuple[int, SignalType]]) -> None:
    assert signals(BREAKOUT, closes(*values)) == expected


def test_donchian_looks_at_highs_and_lows_of_the_bars_before_and_at_the_close_of_this_one() -> None:
    quiet = [a_bar(10, day=day, high=12, low=8) for day in range(3)]
    poked_out = a_bar(11, day=3, high=99, low=1)
    assert signals(BREAKOUT, [*quiet, poked_out]) == []
    assert signals(BREAKOUT, [*quiet, a_bar(13, day=3, high=99)]) == [(3, BUY)]


def test_without_shorts_a_breakdown_only_ends_the_long() -> None:
    assert signals(LONG_ONLY, closes(5, 6, 7, 8, 4, 3, 2)) == [(3, BUY), (4, SELL)]


def test_a_reversal_trades_twice_the_size_and_an_entry_or_exit_once() -> None:
    _, (entry, reversal) = decisions(BREAKOUT, closes(5, 6, 7, 8, 4))
    size = Decimal(300)
    assert (entry.quantity(size), entry.target_position(size)) == exactly(300, 300)
    assert (reversal.quantity(size), reversal.target_position(size)) == exactly(600, -300)
    _, (_, exit_) = decisions(LONG_ONLY, closes(5, 6, 7, 8, 4))
    assert (exit_.quantity(size), exit_.target_position(size)) == exactly(300, 0)


def test_a_decision_is_made_at_the_close_and_holds_for_a_week() -> None:
    decision = the_decision(CROSS, 3, 2, 1, 9)
    assert decision.entry_price == 9
    assert decision.decided_at == a_bar(9, day=3).close_time
    assert decision.valid_until - decision.decided_at == timedelta(days=7)
    assert decision.indicators == {"fast_sma": Decimal(9), "slow_sma": Decimal(4)}


@pytest.mark.parametrize(
    ("chosen", "values", "confidence"),
    [
        # 9 against an average of 4 is far more than one percent.
        pytest.param(CROSS, ("3", "2", "1", "9"), "1", id="gap beyond one percent"),
        # (1000 + 1000 + 1003) / 3 = 1001: the gap is 2 of 1001, 19.98 % of one percent.
        pytest.param(CROSS, ("1000", "1000", "1000", "1003"), "0.5999", id="gap of a fifth of a percent"),
        pytest.param(RSI, ("10", "9", "8"), "1", id="RSI at the end of the scale"),
        # RSI 15: half-way from 30 to 0.
        pytest.param(RSI, ("100", "103", "86"), "0.75", id="RSI half-way to the end"),
        # A channel from 5 to 7, left by 0.5.
        pytest.param(BREAKOUT, ("5", "6", "7", "7.5"), "0.625", id="a quarter of the channel's width"),
        pytest.param(BREAKOUT, ("7", "7", "7", "7.5"), "0.5", id="a channel without width measures nothing"),
    ],
)
def test_confidence_grows_with_the_distance_from_the_threshold(
    chosen: Parameters, values: tuple[str, ...], confidence: str
) -> None:
    assert the_decision(chosen, *values).confidence == Decimal(confidence)


def test_stop_and_target_lie_on_their_sides_of_the_entry() -> None:
    chosen = rule("donchian", entry=3, exit=2, stop_loss_pct="5", take_profit_pct="12.5")
    _, (long, short) = decisions(chosen, closes(5, 6, 7, 8, 4))
    assert (long.stop_loss, long.target_price) == (Decimal("7.6"), Decimal(9))
    assert (short.stop_loss, short.target_price) == (Decimal("4.2"), Decimal("3.5"))


def test_no_levels_are_named_unless_asked_for_nor_when_a_position_ends() -> None:
    _, (entry,) = decisions(CROSS, closes(3, 2, 1, 9))
    assert (entry.stop_loss, entry.target_price) == (None, None)
    chosen = rule("sma_cross", fast=1, slow=3, stop_loss_pct="5", take_profit_pct="5")
    _, (_, exit_) = decisions(chosen, closes(3, 2, 1, 9, 1))
    assert (exit_.stop_loss, exit_.target_price) == (None, None)


def test_a_level_that_is_no_valid_price_is_left_out() -> None:
    chosen = rule("donchian", entry=1, exit=1, stop_loss_pct="99", take_profit_pct="99")
    _, (tiny,) = decisions(chosen, closes("0.00000001", "0.00000002"))
    assert tiny.stop_loss is None
    _, (huge,) = decisions(chosen, closes(1, "999999999999"))
    assert huge.target_price is None


@pytest.mark.parametrize(
    ("kind", "chosen", "field"),
    [
        ("sma_cross", {"fast": 50, "slow": 20}, "slow"),
        ("sma_cross", {"fast": 20, "slow": 20}, "slow"),
        ("sma_cross", {"fast": 0, "slow": 20}, "fast"),
        ("sma_cross", {"fast": 20, "slow": 501}, "slow"),
        ("sma_cross", {"fast": "20", "slow": 50}, "fast"),
        ("sma_cross", {"fast": True, "slow": 50}, "fast"),
        ("sma_cross", {"fast": 20}, "slow"),
        ("sma_cross", {"fast": 20, "slow": 50, "colour": 1}, "colour"),
        ("rsi_reversion", {"period": 1, "buy_below": "30", "sell_above": "70"}, "period"),
        ("rsi_reversion", {"period": 14, "buy_below": "70", "sell_above": "30"}, "sell_above"),
        ("rsi_reversion", {"period": 14, "buy_below": "0", "sell_above": "70"}, "buy_below"),
        ("rsi_reversion", {"period": 14, "buy_below": "30", "sell_above": "100"}, "sell_above"),
        ("rsi_reversion", {"period": 14, "buy_below": "NaN", "sell_above": "70"}, "buy_below"),
        ("donchian", {"entry": 10, "exit": 20}, "exit"),
        ("donchian", {"entry": 20, "exit": 10, "allow_short": "perhaps"}, "allow_short"),
        ("donchian", {"entry": 20, "exit": 10, "stop_loss_pct": "-1"}, "stop_loss_pct"),
        ("donchian", {"entry": 20, "exit": 10, "take_profit_pct": 1.5}, "take_profit_pct"),
    ],
)
def test_bad_parameters_name_the_field(kind: str, chosen: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        PARAMETERS.validate_python({"kind": kind, **chosen})
    assert [error["loc"][-1] for error in refused.value.errors()] == [field]


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValidationError, match="martingale"):
        PARAMETERS.validate_python({"kind": "martingale"})


def test_a_rule_does_not_go_on_from_another_kinds_state() -> None:
    with pytest.raises(TypeError, match="donchian rule cannot go on from a sma_cross state"):
        step(BREAKOUT, start(CROSS), a_bar(10))
