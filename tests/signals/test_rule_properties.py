"""What holds for every rule on every series of bars."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext

from hypothesis import given
from hypothesis import strategies as st

from services.signals.rules import RULE_STATE, Bar, Parameters, Stance
from tests.signals.builders import bar_series, closes, decisions, parameters, prices


@given(parameters, bar_series(), st.data())
def test_a_state_written_and_read_goes_on_as_if_it_had_never_stopped(
    chosen: Parameters, bars: list[Bar], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(bars)))
    before, early = decisions(chosen, bars[:cut])
    restored = RULE_STATE.validate_json(RULE_STATE.dump_json(before))
    assert restored == before
    after, late = decisions(chosen, bars[cut:], restored)
    assert (after, early + late) == decisions(chosen, bars)


@given(parameters, bar_series(min_size=2), bar_series(min_size=2), st.data())
def test_no_decision_knows_what_comes_after_its_bar(
    chosen: Parameters, bars: list[Bar], other: list[Bar], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(1, min(len(bars), len(other))))
    moment = bars[cut - 1].close_time

    def until(series: list[Bar]) -> list[object]:
        return [decision for decision in decisions(chosen, series)[1] if decision.decided_at <= moment]

    assert until(bars) == until(bars[:cut] + other[cut:])


@given(parameters, prices, st.integers(1, 60))
def test_a_flat_series_decides_nothing(chosen: Parameters, price: Decimal, days: int) -> None:
    state, made = decisions(chosen, closes(*[price] * days))
    assert (state.stance, made) == (Stance.FLAT, [])


@given(parameters, bar_series())
def test_every_decision_starts_from_the_stance_of_the_one_before(chosen: Parameters, bars: list[Bar]) -> None:
    state, made = decisions(chosen, bars)
    position = Decimal(0)
    for decision in made:
        side = 1 if decision.signal_type in ("BUY", "COVER") else -1
        position += side * decision.quantity(Decimal(7))
        assert position == decision.target_position(Decimal(7))
        assert Decimal("0.5") <= decision.confidence <= 1
    assert position == 7 * state.stance.sign


@given(parameters, bar_series())
def test_the_callers_precision_changes_nothing(chosen: Parameters, bars: list[Bar]) -> None:
    with localcontext(Context(prec=60)):
        wide = decisions(chosen, bars)
    assert wide == decisions(chosen, bars)
