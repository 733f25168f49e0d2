"""Who helps? So many processes as may, each started when it is first needed, and kept for whoever comes next."""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from libs.kit.background.process import Helper, HelperLost
from libs.kit.cancellation import uninterrupted
from libs.kit.logging import logger

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

log = logger(__name__)

_ASKED_AT_ONCE = 2
# All that a process has at leisure, whoever started them: a helper knows nothing that it was asked before.
_idle: list[Helper] = []


class Helpers:
    """Runs functions in up to `most` processes at the same time; further ones wait.

    Each helper has its next question when it is done with one: it does not wait until we, who may be busy, ask again.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._turns = asyncio.Semaphore(most * _ASKED_AT_ONCE)
        self._at_work: list[Helper] = []

    async def run(self, work: Callable[[*Ts], T], *arguments: *Ts) -> T:
        """What a function of a module gives or raises elsewhere; it, its arguments and its result have to be picklable.

        A helper that was killed is replaced, once, and the work done again. Raises HelperLost.
        """
        async with self._turns:
            # A helper can't be stopped: whoever asked reads the answer, or others would.
            return await uninterrupted(self._done(work, *arguments))

    async def _done(self, work: Callable[[*Ts], T], *arguments: *Ts) -> T:
        try:
            return await self._done_once(work, *arguments)
        except HelperLost as lost:
            log.warning("helper_lost", error=repr(lost))
            return await self._done_once(work, *arguments)

    async def _done_once(self, work: Callable[[*Ts], T], *arguments: *Ts) -> T:
        helper = self._somebody()
        try:
            result = await helper.ask(work, *arguments)
        finally:
            if not helper.asked:
                self._at_work.remove(helper)
                _idle.append(helper)
        return result()

    def _somebody(self) -> Helper:
        """Who has least to do; nobody has more than may be asked at once, since there are no more turns."""
        # Those that have ended are left to whoever waits for their answers.
        alive = [one for one in self._at_work if one.lives]
        if len(alive) < self._most:
            alive.append(_at_leisure() or Helper())
            self._at_work.append(alive[-1])
        return min(alive, key=lambda one: one.asked)


def _at_leisure() -> Helper | None:
    while _idle:
        helper = _idle.pop()
        if helper.lives:
            return helper
        helper.end()
    return None


@atexit.register
def _end_all() -> None:
    while _idle:
        _idle.pop().end()
