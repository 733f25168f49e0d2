"""Is a fault noticed? The named tests run on a tree that has it, and one of them has to fail by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.mutants.witness import WRITE_TO, Failure, Testimony

_PATIENCE_SECONDS = 300.0
_OWN = ("TEST_DATABASE_URL", "TEST_KAFKA_BOOTSTRAP", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
# These say that the mutant can't run, and would make any test fail.
_NO_FINDING = frozenset(
    {"ImportError", "ModuleNotFoundError", "SyntaxError", "IndentationError", "NameError", "UnboundLocalError"}
)


class Verdict(StrEnum):
    """What became of a fault."""

    CAUGHT = "caught"
    SURVIVED = "survived"
    VOID = "void"
    """It was not tried: the patch does not apply, or something broke before any test could judge."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """A verdict and the reason for it: for a fault that is caught, the test and what it said."""

    verdict: Verdict
    reason: str
    caught_by: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class TestRun:
    """How a run of pytest ended."""

    __test__ = False

    exit_code: int | None
    """None when it was ended because it took too long."""
    testimony: Testimony | None
    output: str
    seconds: float


async def run_tests(
    tree: Path, tests: Sequence[str], environment: Mapping[str, str], notes: Path, *options: str
) -> TestRun:
    """Run tests of a tree with the tree's own code; what they say is put into the folder `notes`."""
    told, log = notes / "testimony.json", notes / "output.txt"
    inherited = {name: value for name, value in os.environ.items() if name not in _OWN}
    # Before the interpreter's own packages, one of which may point at the checkout.
    own = {"PYTHONPATH": str(tree), WRITE_TO: str(told)}
    command = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "-p", "tests.mutants.witness",
               "--hypothesis-seed=0", "--color=no", *options, *tests]  # fmt: skip
    started = time.monotonic()
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=tree, env=inherited | own | environment, stdout=output, stderr=output, start_new_session=True
        )
        exit_code = await _ended(process)
    return TestRun(exit_code, Testimony.read(told), log.read_text(errors="replace"), time.monotonic() - started)


async def _ended(process: asyncio.subprocess.Process) -> int | None:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await process.wait()
    except TimeoutError:
        return None
    finally:
        # What it started and left behind, too.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def judge(run: TestRun) -> Ruling:
    """Whether the tests noticed. What kept them from running is no finding."""
    told = run.testimony
    reason = _hindrance(run)
    if told is None or reason is not None:
        return Ruling(Verdict.VOID, reason or "nothing was told", seconds=run.seconds)
    if not told.failures:
        return Ruling(Verdict.SURVIVED, "its tests pass", seconds=run.seconds)
    found = next((failure for failure in told.failures if _is_finding(failure)), None)
    if found is None:
        return Ruling(Verdict.VOID, _broken(told.failures[0]), seconds=run.seconds)
    return Ruling(Verdict.CAUGHT, f"{found.kind}: {found.text}", found.test, run.seconds)


def _hindrance(run: TestRun) -> str | None:
    """Why the run says nothing about the fault, or None."""
    told = run.testimony
    if run.exit_code is None:
        return f"the tests took more than {_PATIENCE_SECONDS:.0f} s"
    if told is not None and told.strangers:
        return f"not the copy was tested: {told.strangers[0]}"
    if told is not None and told.failures and not told.called:
        return _broken(told.failures[0])
    # 0 and 1 alone say that all that was asked for was there and ran.
    if told is None or run.exit_code != bool(told.failures) or not told.called:
        return f"no test ran: {_last_line(run.output)}"
    return None


def _broken(failure: Failure) -> str:
    return f"no test could judge: {failure.phase} of {failure.test}: {failure.kind}: {failure.text}"


def _is_finding(failure: Failure) -> bool:
    """Fixtures may check at the end that nothing is left, but whatever fails at the start is no finding."""
    if failure.phase == "call":
        return not _NO_FINDING.intersection(failure.kind.split(", "))
    return failure.phase == "teardown" and failure.kind == "AssertionError"


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "it said nothing")
