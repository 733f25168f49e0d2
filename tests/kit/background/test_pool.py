"""Work is done by another process, whatever happens to that one, and nobody gets another's answer."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import psutil
import pytest

from libs.kit.background.answering import NICENESS
from libs.kit.background.pool import Helpers
from libs.kit.background.process import Helper, HelperLost
from tests.world import PATIENCE_SECONDS

SHORTLY = 0.3


def stand_still_until(there: Callable[[], bool]) -> bool:
    """Whether something comes to be while nobody can ask or read."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not there() and time.monotonic() < until:
        time.sleep(0.01)
    return there()


@pytest.fixture
def helpers() -> Helpers:
    return Helpers(1)


async def test_what_a_function_gives_comes_back(helpers: Helpers) -> None:
    assert await helpers.run(divmod, 7, 2) == (3, 1)


async def test_what_a_function_raises_is_raised_and_the_helper_goes_on(helpers: Helpers) -> None:
    before = await helpers.run(os.getpid)

    with pytest.raises(ZeroDivisionError):
        await helpers.run(divmod, 7, 0)

    assert await helpers.run(os.getpid) == before


async def test_another_process_works_and_lets_others_go_first_after_its_first_answer() -> None:
    helper = Helper()

    first, then = [await helper.ask(os.getpriority, os.PRIO_PROCESS, 0) for _ in range(2)]
    helper.end()

    assert helper.pid != os.getpid()
    assert first() == os.getpriority(os.PRIO_PROCESS, 0)
    assert then() > first()


def test_a_helper_is_never_above_whoever_started_it() -> None:
    script = "import os; from libs.kit.background.answering import let_others_go_first; let_others_go_first(); print(os.nice(0))"
    command = ["nice", "-n", "12", sys.executable, "-c", script]

    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "12\n"


def share(niceness: int, rivals: int) -> Fraction:
    """The part of a core that a process gets which so many of no niceness want as well (setpriority(2), sched(7))."""
    weight = 1024 / Fraction(5, 4) ** niceness
    return weight / (weight + 1024 * rivals)


def test_a_hash_is_done_in_time_on_a_core_that_two_others_want() -> None:
    hash_seconds = Fraction(1, 5)

    assert hash_seconds / share(NICENESS, rivals=2) < 2
    assert hash_seconds / share(19, rivals=1) > 10, "what the least priority would take"


async def test_a_helper_learns_no_secret_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILLSTREAM_DATABASE_URL", "postgresql://owner:secret@localhost/fillstream")
    helper = Helper()

    known = await helper.ask(os.getenv, "FILLSTREAM_DATABASE_URL")
    helper.end()

    assert known() is None


async def test_no_more_work_at_once_than_they_are_meant_to() -> None:
    helpers = Helpers(2)

    seen = await asyncio.gather(*(helpers.run(os.getpid) for _ in range(12)))

    assert len(set(seen)) <= 2


async def test_work_is_done_by_another_when_its_helper_is_killed(helpers: Helpers) -> None:
    killed = await helpers.run(os.getpid)
    working = asyncio.create_task(helpers.run(time.sleep, SHORTLY))
    await asyncio.sleep(SHORTLY / 3)

    os.kill(killed, signal.SIGKILL)

    await working
    assert await helpers.run(os.getpid) != killed


async def test_of_two_whose_helper_is_killed_each_gets_their_own_answer(helpers: Helpers) -> None:
    killed = await helpers.run(os.getpid)
    both = asyncio.gather(helpers.run(time.sleep, SHORTLY), helpers.run(divmod, 7, 2), helpers.run(divmod, 9, 2))
    await asyncio.sleep(SHORTLY / 3)

    os.kill(killed, signal.SIGKILL)

    assert await both == [None, (3, 1), (4, 1)]


async def test_a_helper_that_is_done_has_its_next_question_already(helpers: Helpers, tmp_path: Path) -> None:
    await helpers.run(os.getpid)
    made = tmp_path / "made"
    both = asyncio.gather(helpers.run(time.sleep, SHORTLY), helpers.run(made.touch))
    for _ in range(20):
        await asyncio.sleep(0)

    seen = stand_still_until(made.exists)

    await both
    assert seen


async def test_a_helper_that_was_killed_at_leisure_is_replaced(helpers: Helpers) -> None:
    killed = await helpers.run(os.getpid)

    os.kill(killed, signal.SIGKILL)

    assert await helpers.run(os.getpid) != killed
    assert not psutil.pid_exists(killed), "nobody has buried it"


async def test_work_that_ends_every_helper_is_given_up(helpers: Helpers) -> None:
    with pytest.raises(HelperLost):
        await helpers.run(os._exit, 1)

    assert await helpers.run(divmod, 7, 2) == (3, 1)


async def test_who_comes_after_somebody_who_was_cancelled_gets_their_own_answer(helpers: Helpers) -> None:
    left = asyncio.create_task(helpers.run(time.sleep, SHORTLY))
    await asyncio.sleep(SHORTLY / 3)
    left.cancel()

    answers = await asyncio.gather(left, helpers.run(divmod, 7, 2), helpers.run(divmod, 9, 2), return_exceptions=True)

    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1:] == [(3, 1), (4, 1)]


async def test_an_answer_of_any_size_comes_back_whole(helpers: Helpers) -> None:
    assert await helpers.run("fill".__mul__, 1_000_000) == "fill" * 1_000_000


async def test_ctrl_c_does_not_end_a_helper(helpers: Helpers) -> None:
    before = await helpers.run(os.getpid)

    os.kill(before, signal.SIGINT)

    assert await helpers.run(os.getpid) == before


def test_a_helper_ends_with_its_process_however_that_ends() -> None:
    script = "from libs.kit.background.process import Helper; print(Helper().pid, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        helper = psutil.Process(int(parent.stdout.readline()))
        parent.kill()

    assert helper.wait(PATIENCE_SECONDS) is None


async def test_what_can_not_be_sent_ends_nobody_elses_work(helpers: Helpers) -> None:
    before = await helpers.run(os.getpid)
    working = asyncio.create_task(helpers.run(time.sleep, SHORTLY))
    await asyncio.sleep(SHORTLY / 3)

    with pytest.raises((AttributeError, TypeError, pickle.PicklingError)):
        await helpers.run(lambda: None)

    await asyncio.wait_for(working, PATIENCE_SECONDS)
    assert await helpers.run(os.getpid) == before
