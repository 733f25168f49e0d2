"""Who helps? So many processes as may, each started when it is first needed, and kept for whoever comes next."""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from libs.kit.cancellation import uninterrupted
from libs.kit.helpers.process import Helper, HelperLost
from libs.kit.logging import logger

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

log = logger(__name__)

# All that a process has at leisure, whoever started them: a helper knows nothing that it was asked before.
_idle: list[Helper] = []


class Helpers:
    """Runs functions in up to `most` processes at the same time; further ones wait."""

    def __init__(self, most: int) -> None:
        self._turns = asyncio.Semaphore(most)

    async def run(self, work: Callable[[*Ts], T], *arguments: *Ts) -> T:
        """What a function of a module gives or raises elsewhere; it, its arguments and its result have to be picklable.

        A helper that was killed is replaced, once, and the work done again. Raises HelperLost.
        """
        async with self._turns:
            # A helper can't be stopped: it is done with its work before anybody else may ask it.
            return await uninterrupted(_done(work, *arguments))


async def _done(work: Callable[[*Ts], T], *arguments: *Ts) -> T:
    try:
        return await _done_once(work, *arguments)
    except HelperLost as lost:
        log.warning("helper_lost", error=repr(lost))
        return await _done_once(work, *arguments)


async def _done_once(work: Callable[[*Ts], T], *arguments: *Ts) -> T:
    helper = _somebody()
    try:
        result = await helper.ask(work, *arguments)
    except BaseException:
        helper.end()
        raise
    _idle.append(helper)
    return result()


def _somebody() -> Helper:
    while _idle:
        helper = _idle.pop()
        if helper.lives:
            return helper
        helper.end()
    return Helper()


@atexit.register
def _end_all() -> None:
    while _idle:
        _idle.pop().end()
