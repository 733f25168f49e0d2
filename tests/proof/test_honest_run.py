"""An honest run contradicts nothing."""

from __future__ import annotations

from fillstream.installation import Installation
from libs.kit.settings import Settings
from tests.proof.invariants import check


async def test_an_honest_run_has_no_violations(finished: Installation) -> None:
    assert [str(violation) for violation in await check(finished.settings(Settings))] == []
