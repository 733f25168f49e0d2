"""Are the tests any good? `python -m tests.mutants` plants each fault in a copy of the tree; a test has to notice."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from fillstream.embedded.stack import StackError
from tests.mutants.campaign import BaselineFailed, Campaign
from tests.mutants.fault import BadFault, Fault, load_faults, named
from tests.mutants.report import show_faults, show_progress, show_results
from tests.mutants.stations import OpenStation, servers_of_its_own
from tests.mutants.trial import Verdict
from tests.room import a_folder

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Ground:
    """What is tried: a checkout, faults, and servers for the tests."""

    root: Path
    faults: Path
    open_station: OpenStation


CHECKOUT = Ground(HERE.parents[1], HERE / "faults", servers_of_its_own)


def main(arguments: Sequence[str], ground: Ground = CHECKOUT, console: Console | None = None) -> int:
    """0 when every fault is caught, 1 when one is not, 2 when the request makes no sense."""
    # Where nobody watches, lines may be long.
    console = console or Console(width=None if sys.stdout.isatty() else 200)
    wanted = _parser().parse_args(arguments)
    try:
        faults = _chosen(wanted, load_faults(ground.faults), console)
    except BadFault as problem:
        print(problem, file=sys.stderr)  # noqa: T201 the line is for whoever called
        return 2
    if wanted.list:
        show_faults(faults, console)
        return 0
    return _run(faults, wanted.jobs, ground, console)


def _run(faults: Sequence[Fault], jobs: int, ground: Ground, console: Console) -> int:
    started = time.monotonic()
    with a_folder("fillstream-mutants-") as scratch:
        campaign = Campaign(ground.root, faults, ground.open_station, jobs, Path(scratch).resolve())
        try:
            results = asyncio.run(campaign.run(lambda fault, ruling: show_progress(fault, ruling, console)))
        except (BaselineFailed, StackError) as problem:
            console.print(f"void: without any fault: {problem}", markup=False, highlight=False, soft_wrap=True)
            return 1
    show_results(results, console)
    console.print(f"{time.monotonic() - started:.0f} s with {jobs} jobs", highlight=False)
    return 0 if all(result.ruling.verdict is Verdict.CAUGHT for result in results) else 1


def _chosen(wanted: argparse.Namespace, faults: Sequence[Fault], console: Console) -> Sequence[Fault]:
    """The faults that the command line asks for. Raises BadFault."""
    if wanted.only:
        return named(faults, wanted.only)
    if wanted.sample is None:
        return faults
    seed = random.randrange(10**6) if wanted.seed is None else wanted.seed
    console.print(f"{wanted.sample} of {len(faults)} faults, seed {seed}", highlight=False)
    return random.Random(seed).sample(faults, min(wanted.sample, len(faults)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--only", nargs="+", metavar="NAME", help="these faults alone")
    which.add_argument("--sample", type=_at_least_one, metavar="N", help="so many faults, chosen by chance")
    parser.add_argument("--seed", type=int, metavar="S", help="choose the same sample again")
    parser.add_argument("--list", action="store_true", help="show the faults and plant none")
    parser.add_argument("--jobs", type=_at_least_one, default=2, metavar="N", help="at once, each with its own servers")
    return parser


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number from 1 on")
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
