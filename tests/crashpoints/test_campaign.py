"""Every point gets its death, in company or alone, and what was wrong is told of the one that did it."""

from __future__ import annotations

from collections import Counter

from tests.crashpoints.campaign import IN_AN_ACT, Tally, alone, every, in_company, some
from tests.crashpoints.crossings import Crossing, Kind, Point
from tests.crashpoints.expectations import Leftover
from tests.crashpoints.runs import Outcome

A, B, C = Point(1, "aaaaaa", 1), Point(1, "bbbbbb", 1), Point(2, "aaaaaa", 1)


def an_outcome(*died_at: Point, crossed: tuple[Point, ...] = (A, B, C), violations: tuple[str, ...] = ()) -> Outcome:
    crossings = {point: Crossing(Kind.COMMIT_SENT, point.crossing_id) for point in crossed}
    return Outcome(crossings, frozenset(died_at), violations, Leftover({}), 1.0)


def a_tally(*crossed: Point) -> Tally:
    tally = Tally("orders")
    tally.note(frozenset(), an_outcome(crossed=crossed or (A, B, C)))
    return tally


def test_points_share_a_run_unless_each_is_to_be_alone() -> None:
    tally = a_tally()
    assert in_company(tally, every(tally)) == {A, B, C}
    assert alone(tally, every(tally)) == {A}


def test_no_act_has_more_deaths_than_clients_have_patience_for() -> None:
    many = tuple(Point(1, "aaaaaa", number) for number in range(1, IN_AN_ACT + 5))
    tally = a_tally(*many, C)
    assert in_company(tally, every(tally)) == {*many[:IN_AN_ACT], C}


def test_a_point_that_was_missed_is_tried_with_less_company_then_alone_and_then_given_up() -> None:
    tally = a_tally()
    tally.note(frozenset({A, B, C}), an_outcome())
    assert in_company(tally, tally.open(every(tally))) == {A, C}
    tally.note(frozenset({A, C}), an_outcome(A))
    assert in_company(tally, tally.open(every(tally))) == {B}
    tally.note(frozenset({B}), an_outcome(B))
    assert in_company(tally, tally.open(every(tally))) == {C}
    for _ in range(2):
        tally.note(frozenset({C}), an_outcome())
    assert (tally.open(every(tally)), tally.not_met) == ([], [C])


def test_a_point_that_only_another_undisturbed_run_shows_is_tried_too() -> None:
    tally = a_tally()
    late = Point(3, "cccccc", 1)
    tally.note(frozenset(), an_outcome(crossed=(A, late)))
    assert late in tally.open(every(tally))


def test_after_something_was_wrong_in_company_the_points_are_halved_until_the_one_is_found() -> None:
    tally = a_tally()
    tally.note(frozenset({A, B, C}), an_outcome(A, B, C, violations=("lost",)))
    assert tally.suspects == [{A}, {B, C}]
    tally.note(frozenset({B, C}), an_outcome(B, C, violations=("lost",)))
    assert tally.suspects[2:] == [{B}, {C}]
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
    once, twice = (Leftover({"orders.fill": Counter({("BUY", "5"): number})}) for number in (1, 2))
    assert once.differences(twice) == ["orders.fill: missing 0, surplus 1 ['BUY 5']"]
    assert twice.differences(once) == ["orders.fill: missing 1 ['BUY 5'], surplus 0"]
    session, sessions = (Leftover({"auth.refresh_token": Counter({("-",): number})}) for number in (1, 2))
    assert session.differences(sessions) == []
