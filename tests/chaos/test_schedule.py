"""Is a schedule the same for the same seed, and does it hold every kind?"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from random import Random

import pytest

from tests.chaos.fault import Wanted
from tests.chaos.faults import FAULTS
from tests.chaos.schedule import Schedule, UnknownKind, draw, kinds, of_kinds
from tests.chaos.servers import Layout, Servers, one_of_each
from tests.chaos.site import Site
from tests.structure.sources import ROOT


@dataclass(frozen=True)
class Nothing:
    """A fault that harms nobody."""

    name: str
    kind: str
    layout: Layout = one_of_each
    wanted: Wanted = Wanted.NOTHING_SAID

    async def inject(self, site: Site, rng: Random) -> None: ...


def elsewhere(_folder: object) -> Servers:
    raise NotImplementedError


HARMLESS = (*(Nothing(f"a{number}", "a") for number in range(5)), Nothing("b", "b"), Nothing("c", "c", elsewhere))


def drawn(schedule: Schedule) -> list[tuple[str, str]]:
    return [(one.fault.name, one.seed) for one in schedule.injections]


def test_the_schedule_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    assert drawn(draw(FAULTS, 7, 44)) == drawn(draw(FAULTS, 7, 44))
    assert drawn(draw(FAULTS, 7, 44)) != drawn(draw(FAULTS, 8, 44))


def test_a_short_schedule_has_every_kind_before_it_has_one_twice() -> None:
    assert draw(HARMLESS, 1, 3).kinds == ["a", "b", "c"]


def test_every_fault_is_injected_before_one_is_twice() -> None:
    names = [one.fault.name for one in draw(HARMLESS, 1, len(HARMLESS)).injections]
    assert sorted(names) == sorted(fault.name for fault in HARMLESS)


def test_faults_on_the_same_servers_follow_each_other() -> None:
    layouts = [layout for layout, _ in draw(HARMLESS, 1, 30).by_layout()]
    assert layouts == [one_of_each, elsewhere]


def test_every_fault_has_a_name_of_its_own() -> None:
    names = [fault.name for fault in FAULTS]
    assert len(set(names)) == len(names)


def test_only_the_kinds_that_are_asked_for_are_drawn() -> None:
    assert kinds(of_kinds(FAULTS, ["kill-broker"])) == ["kill-broker"]


def test_an_unknown_kind_is_refused_by_name() -> None:
    with pytest.raises(UnknownKind, match="there is no kind flood; there are "):
        of_kinds(FAULTS, ["flood"])


def test_an_unknown_kind_is_told_in_one_line_and_ends_with_2() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--only", "flood"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("chaos: there is no kind flood; there are ")
