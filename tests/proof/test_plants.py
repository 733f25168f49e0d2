"""The checks are checked: every invariant notices what contradicts it, and nothing else does."""

from __future__ import annotations

import pytest

from fillstream.installation import Installation
from libs.kit.settings import Settings
from tests.proof.invariants import INVARIANTS
from tests.proof.plants import PLANTS
from tests.proof.plants.plant import Plant
from tests.proof.spoil import a_copy


@pytest.mark.parametrize("plant", PLANTS, ids=str)
async def test_what_is_planted_is_noticed_by_its_invariant_alone(finished: Installation, plant: Plant) -> None:
    async with a_copy(finished.settings(Settings)) as spoilt:
        await plant.spoil(spoilt)
        assert await spoilt.broken() == {plant.invariant}


async def test_a_copy_of_an_honest_run_has_no_violations(finished: Installation) -> None:
    async with a_copy(finished.settings(Settings)) as spoilt:
        assert await spoilt.broken() == set()
        await spoilt.topics(lambda records: records)
        assert await spoilt.broken() == set()


def test_something_is_planted_for_every_invariant() -> None:
    assert {plant.invariant for plant in PLANTS} == {invariant.name for invariant in INVARIANTS}


def test_every_invariant_says_what_it_is_in_one_line() -> None:
    assert [invariant.name for invariant in INVARIANTS if not invariant.statement.endswith(".")] == []
