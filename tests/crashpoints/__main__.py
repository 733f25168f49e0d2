"""`python -m tests.crashpoints`: kill each service at each crossing of a boundary, and see that it makes no difference."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Sequence
from typing import NoReturn

import asyncpg
from aiokafka.errors import KafkaError

from fillstream.contexts import names
from fillstream.embedded.stack import StackError
from tests.crashpoints.campaign import (
    Choice,
    Tally,
    Together,
    Violation,
    alone,
    campaign,
    every,
    in_company,
    none,
    only,
    some,
)
from tests.crashpoints.crossings import BadPoint, Point
from tests.crashpoints.launcher import zygote
from tests.crashpoints.servers import servers
from tests.crashpoints.table import listing, not_met, table, violations


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line."""
        self.exit(2, f"{self.prog}: {message}\n")


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(prog="python -m tests.crashpoints", description=__doc__)
    parser.add_argument("--service", nargs="+", metavar="NAME", default=names(), help="of these services alone")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--sample", type=_number, metavar="N", help="N points of each service, drawn by the seed")
    which.add_argument("--point", type=_point, metavar="POINT", help="one point of one service, as --list names it")
    which.add_argument("--list", action="store_true", help="only print the points of an undisturbed run")
    parser.add_argument("--seed", type=int, metavar="S", help="what the sample is drawn by; printed if left out")
    parser.add_argument("--alone", action="store_true", help="a run for each point instead of many deaths in a run")
    parser.add_argument("--jobs", type=_number, metavar="J", default=2, help="services at the same time (2)")
    chosen = parser.parse_args(given)
    for name in chosen.service:
        if name not in names():
            parser.error(f"there is no service {name}; there are {', '.join(names())}")
    if chosen.point is not None and len(chosen.service) != 1:
        parser.error("--point needs --service with the one service that it is a point of")
    if chosen.seed is not None and chosen.sample is None:
        parser.error("--seed draws a sample: say how many with --sample")
    return chosen


def _number(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number from 1 on")
    return number


def _point(text: str) -> Point:
    try:
        return Point.parse(text)
    except BadPoint as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _choice(chosen: argparse.Namespace) -> Choice:
    if chosen.list:
        return none
    if chosen.point is not None:
        return only(chosen.point)
    if chosen.sample is not None:
        seed = random.SystemRandom().randrange(10**6) if chosen.seed is None else chosen.seed
        print(f"again with --sample {chosen.sample} --seed {seed}", flush=True)  # noqa: T201 the answer
        return some(chosen.sample, seed)
    return every


def _report(tally: Tally) -> None:
    if tally.runs % 10 != 1 and not tally.latest:
        return
    said = (
        f"{tally.service}: {tally.runs} runs, {len(tally.killed)} of {len(tally.known)} points, "
        f"{tally.seconds / tally.runs:.1f} s a run"
    )
    print("\n".join([said, *tally.latest]), file=sys.stderr, flush=True)  # noqa: T201 what goes on


async def _all(chosen: argparse.Namespace, choose: Choice, together: Together) -> list[Tally]:
    forked, at_once = zygote(), asyncio.Semaphore(chosen.jobs)
    tallies = [Tally(service) for service in chosen.service]
    async with servers() as there:

        async def of(tally: Tally) -> None:
            async with at_once:
                try:
                    await campaign(tally, there, forked, choose, together, _report)
                except (KafkaError, asyncpg.PostgresError, OSError) as error:
                    # The servers, not the service: what was seen until then is told all the same.
                    tally.violations.append(Violation(frozenset(), f"a run could not be made: {error!r}"))

        await asyncio.gather(*map(of, tallies))
    return tallies


def _tell(tallies: Sequence[Tally], seconds: float) -> None:
    wrong = [tally for tally in tallies if tally.found]
    deaths = sum(len(tally.killed) for tally in tallies)
    said = [
        table(tallies),
        *filter(None, map(not_met, tallies)),
        *map(violations, wrong),
        f"{deaths} deaths in {seconds:.0f} s",
    ]
    print("\n".join(said))  # noqa: T201 the answer


def main(given: Sequence[str] | None = None) -> int:
    """Run the tool; the status is 1 when something was wrong, 2 when nothing could be looked at."""
    chosen = _arguments(given)
    started = time.monotonic()
    try:
        tallies = asyncio.run(_all(chosen, _choice(chosen), alone if chosen.alone else in_company))
    except StackError as error:
        print(error, file=sys.stderr)  # noqa: T201 the answer
        return 2
    if chosen.list:
        print("\n".join(map(listing, tallies)))  # noqa: T201 the answer
    _tell(tallies, time.monotonic() - started)
    if chosen.point is not None and not tallies[0].killed:
        print(f"{chosen.service[0]} did not come to {chosen.point}")  # noqa: T201 the answer
        return 1
    return 1 if any(tally.found for tally in tallies) else 0


if __name__ == "__main__":
    sys.exit(main())
