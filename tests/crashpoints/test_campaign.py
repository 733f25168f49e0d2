"""Every point gets its death, in company or alone, and what was wrong is told of the one that did it."""

from __future__ import annotations

from collections import Counter

from tests.crashpoints.campaign import Tally, alone, every, one_in_each_act, some
from tests.crashpoints.crossings import Crossing, Kind, Point
from tests.crashpoints.expectations import Leftover
from tests.crashpoints.runs import Outcome

A, B, C = Point(1, "aaaaaa", 1), Point(1, "bbbbbb", 1), Point(2, "aaaaaa", 1)


def an_outcome(*died_at: Point, crossed: tuple[Point, ...] = (A, B, C), violations: tuple[str, ...] = ()) -> Outcome:
    crossings = {point: Crossing(Kind.COMMIT_SENT, point.crossing_id) for point in crossed}
    return Outcome(crossings, frozenset(died_at), violations, Leftover({}), 1.0)


def a_tally() -> Tally:
    tally = Tally("orders")
    tally.note(frozenset(), an_outcome())
    return tally


def test_a_run_has_one_death_in_each_act() -> None:
    tally = a_tally()
    assert one_in_each_act(tally, every(tally)) == {A, C}
    assert alone(tally, every(tally)) == {A}


def test_a_point_that_was_not_met_in_company_is_tried_alone_and_then_given_up() -> None:
    tally = a_tally()
    tally.note(frozenset({A, C}), an_outcome(A))
    tally.note(frozenset({B}), an_outcome(B))
    assert one_in_each_act(tally, tally.open(every(tally))) == {C}
    for _ in range(2):
        tally.note(frozenset({C}), an_outcome())
    assert (tally.open(every(tally)), tally.not_met) == ([], [C])


def test_a_point_that_turns_up_later_is_tried_too() -> None:
    tally = a_tally()
    late = Point(3, "cccccc", 1)
    tally.note(frozenset({A}), an_outcome(A, crossed=(A, late)))
    assert late in tally.open(every(tally))


def test_after_something_was_wrong_in_company_each_is_tried_alone_and_the_one_is_named() -> None:
    tally = a_tally()
    tally.note(frozenset({A, C}), an_outcome(A, C, violations=("lost",)))
    assert tally.suspects == [A, C]
    tally.note(frozenset({A}), an_outcome(A))
    tally.note(frozenset({C}), an_outcome(C, violations=("lost",)))
    assert [violation.points for violation in tally.found] == [{C}]


def test_what_was_wrong_in_company_alone_is_told_all_the_same() -> None:
    tally = a_tally()
    tally.note(frozenset({A, C}), an_outcome(A, C, violations=("lost",)))
    for point in (A, C):
        tally.note(frozenset({point}), an_outcome(point))
    assert [violation.points for violation in tally.found] == [{A, C}]


def test_a_sample_is_the_same_for_the_same_seed() -> None:
    assert some(2, seed=5)(a_tally()) == some(2, seed=5)(a_tally())
    assert len(some(2, seed=5)(a_tally())) == 2


def test_a_lost_or_doubled_row_is_told_and_another_session_is_not() -> None:
    rows = {"orders.fill": Counter({("BUY", "5"): 1}), "auth.refresh_token": Counter({("-",): 1})}
    doubled = Leftover(rows | {"orders.fill": Counter({("BUY", "5"): 2})})
    assert Leftover(rows).differences(doubled) == ["orders.fill: missing 0, surplus 1 ['BUY 5']"]
    assert doubled.differences(Leftover(rows)) == ["orders.fill: missing 1 ['BUY 5'], surplus 0"]
    assert Leftover(rows).differences(Leftover(rows | {"auth.refresh_token": Counter({("-",): 2})})) == []
