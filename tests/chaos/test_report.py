"""What does the report of a run say, and when does the run fail?"""

from __future__ import annotations

from random import Random

import pytest
from rich.console import Console

from tests.chaos.fault import Wanted
from tests.chaos.report import Result, percentile, print_results, rows
from tests.chaos.schedule import Injection, Schedule
from tests.chaos.test_schedule import Nothing


def a_result(kind: str, seconds: float | None, wanted: Wanted = Wanted.AFTER_A_SERVICE, **found: object) -> Result:
    return Result(Injection(1, Nothing(kind, kind, wanted=wanted), "1/1"), seconds, **found)


def test_what_is_lost_is_told_and_counted() -> None:
    results = [a_result("kill", 1.0, lost=("order 1 is not there",)), a_result("kill", 2.0)]
    console = Console(width=200, record=True)
    print_results(console, Schedule(1, [one.injection for one in results]), results)
    assert "seed 1: 2 injections over 1 kinds" in console.export_text()
    assert results[0].complaints() == ["    lost: order 1 is not there"]
    assert [one.is_clean for one in results] == [False, True]
    assert rows(results)[0].cells() == ["kill", "2", "1", "0", "0", "1.0", "2.0", "2.0", "met (10)"]


def test_progress_that_never_resumes_is_no_success() -> None:
    never = a_result("kill", None)
    assert not never.is_clean
    assert rows([never])[0].verdict() == "missed (10)"


def test_a_slow_recovery_misses_what_is_wanted_and_is_no_failure() -> None:
    slow = a_result("kill", 10.1)
    assert slow.is_clean
    assert rows([slow])[0].verdict() == "missed (10)"
    assert rows([a_result("kill", 10.1, Wanted.AFTER_A_BROKER)])[0].verdict() == "met (20)"


@pytest.mark.parametrize(("share", "wanted"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1)])
def test_percentiles_are_values_that_were_measured(share: float, wanted: int) -> None:
    values = sorted(Random(1).sample(range(1, 101), 100))
    assert percentile(values, share) == wanted
