"""`python -m tests.proof` as people and CI run it."""

from __future__ import annotations

import asyncio
import sys

from fillstream.installation import Installation
from libs.kit.settings import Settings
from tests.proof.invariants import INVARIANTS
from tests.proof.spoil import Spoilt, a_copy
from tests.system.commands import ROOT, environment


async def proof(*arguments: str, **variables: str) -> tuple[int, str, str]:
    """Its exit code, what it printed, and what it said of what it could not do."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.proof", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=ROOT, env=environment(variables),
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


def naming(spoilt: Spoilt) -> dict[str, str]:
    """The variables that name a copy."""
    return {
        "FILLSTREAM_DATABASE_URL": spoilt.settings.database_url.get_secret_value(),
        "FILLSTREAM_KAFKA_BOOTSTRAP": spoilt.settings.kafka_bootstrap,
        "FILLSTREAM_KAFKA_PREFIX": spoilt.settings.kafka_prefix,
    }


async def test_all_invariants_are_shown_to_hold(finished: Installation) -> None:
    async with a_copy(finished.settings(Settings)) as spoilt:
        status, out, err = await proof(**naming(spoilt))
    assert (status, err) == (0, "")
    assert f"{len(INVARIANTS)} of {len(INVARIANTS)} invariants hold" in out


async def test_a_violation_is_shown_with_its_ids_and_the_exit_code_says_so(finished: Installation) -> None:
    async with a_copy(finished.settings(Settings)) as spoilt:
        [[id_]] = await spoilt.sql("UPDATE portfolio.book SET version = 99 WHERE name = 'crossing' RETURNING id")
        status, out, _ = await proof(**naming(spoilt))
    assert status == 1
    assert f'versions_count_the_events: portfolio."book" {id_} has version 99, its last event is number ' in out
    assert f"{len(INVARIANTS) - 1} of {len(INVARIANTS)} invariants hold" in out


async def test_what_never_comes_to_rest_is_looked_at_all_the_same(finished: Installation) -> None:
    async with a_copy(finished.settings(Settings)) as spoilt:
        await spoilt.topics(lambda records: records, behind="orders")
        status, out, err = await proof("--wait", "0.1", **naming(spoilt))
    assert status == 1
    assert "not at rest: after 0 s there is still in flight" in err
    assert "consumers_have_no_lag: orders is 1 behind in " in out


async def test_a_missing_variable_is_told_in_one_line() -> None:
    status, out, err = await proof()
    assert (status, out) == (2, "")
    assert err == "ConfigurationError: FILLSTREAM_DATABASE_URL: Field required\n"
