"""Does the house survive real faults without a loss? `python -m tests.chaos` injects them under load and tells."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
from contextlib import aclosing
from pathlib import Path

from rich.console import Console

from fillstream.cli.shell import run as run_to_its_end
from libs.kit.errors import FillstreamError
from tests.chaos.faults import FAULTS
from tests.chaos.report import Result, print_results, print_schedule
from tests.chaos.run import run
from tests.chaos.schedule import Schedule, UnknownKind, draw, of_kinds

_INJECTIONS = 44


def main() -> int:
    """Run what the command line asks for; 1 when something was lost, double or wrong, 2 for bad input."""
    arguments = _parser().parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    if arguments.list:
        for fault in FAULTS:
            console.print(f"{fault.kind:26} {fault.name}", highlight=False)
        return 0
    seed = random.SystemRandom().randrange(1, 10**6) if arguments.seed is None else arguments.seed
    try:
        schedule = draw(of_kinds(FAULTS, arguments.only), seed, arguments.injections)
    except UnknownKind as error:
        sys.stderr.write(f"chaos: {error}\n")
        return 2
    for name in [name for name in os.environ if name.startswith("FILLSTREAM_") and name != "FILLSTREAM_CACHE"]:
        # The site's processes get settings of their own.
        del os.environ[name]
    return _run(schedule, console, arguments.keep)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="draw the schedule of an earlier run again")
    parser.add_argument("--injections", type=_positive, default=_INJECTIONS, help="how many (default: %(default)s)")
    parser.add_argument("--only", nargs="+", default=[], metavar="KIND", help="faults of these kinds alone")
    parser.add_argument("--list", action="store_true", help="print kinds and faults, and end")
    parser.add_argument("--keep", action="store_true", help="keep logs also when all is well")
    return parser


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of injections")
    return int(text)


def _run(schedule: Schedule, console: Console, keep: bool) -> int:  # noqa: FBT001 a switch of the command line
    folder = Path(tempfile.mkdtemp(prefix="fillstream-chaos-"))
    print_schedule(console, schedule)
    results: list[Result] = []
    try:
        run_to_its_end(_collect(schedule, folder, console, results))
    except FillstreamError as error:
        sys.stderr.write(f"chaos: {error}\n")
        keep = True
    if results:
        print_results(console, schedule, results)
    clean = len(results) == len(schedule.injections) and all(result.is_clean for result in results)
    if clean and not keep:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        console.print(f"logs are in {folder}", highlight=False, soft_wrap=True)
    return 0 if clean else 1


async def _collect(schedule: Schedule, folder: Path, console: Console, results: list[Result]) -> None:
    def say(text: str) -> None:
        console.print(text, style="dim", highlight=False, soft_wrap=True, markup=False)

    async with aclosing(run(schedule, folder, say)) as arriving:
        async for result in arriving:
            results.append(result)
            say(result.line())
            for complaint in result.complaints():
                console.print(complaint, style="red", highlight=False, soft_wrap=True, markup=False)


if __name__ == "__main__":
    sys.exit(main())
