"""Does everything over HTTP answer as documented, whatever it is sent? `python -m tests.fuzz` makes thousands of calls."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import time
from pathlib import Path

from rich.console import Console

from fillstream.cli.shell import run as run_to_its_end
from fillstream.contexts import load_all
from fillstream.inflight import NeverQuiet
from fillstream.openapi import merged_document
from libs.kit.errors import FillstreamError
from tests.fuzz.campaign import Plan, Target, run
from tests.fuzz.report import print_findings
from tests.fuzz.site import Site, site
from tests.proof.invariants import Violation, check
from tests.room import a_folder

_CALLS = 20_000


def main() -> int:
    """Run what the command line asks for; 1 when something is wrong, 2 for bad input."""
    arguments = _parser().parse_args()
    seed = random.SystemRandom().randrange(1, 10**6) if arguments.seed is None else arguments.seed
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(
        f"{arguments.calls} calls; the same again: python -m tests.fuzz --calls {arguments.calls} --seed {seed}"
    )
    for name in [name for name in os.environ if name.startswith("FILLSTREAM_") and name != "FILLSTREAM_CACHE"]:
        # The site has settings of its own.
        del os.environ[name]
    try:
        return 0 if run_to_its_end(_run(Plan(arguments.calls, seed), console)) else 1
    except FillstreamError as error:
        sys.stderr.write(f"fuzz: {error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description="Serve everything on real servers, make generated calls by the OpenAPI document, valid and invalid ones, "
        "and check each answer; afterwards no invariant may be broken. Exits 1 when something is wrong.",
    )
    parser.add_argument("--calls", type=_positive, default=_CALLS, metavar="N", help="at least (default: %(default)s)")
    parser.add_argument("--seed", type=int, metavar="S", help="make the calls of an earlier run again")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of calls")
    return int(text)


async def _run(plan: Plan, console: Console) -> bool:
    """Whether all is well."""

    def say(text: str) -> None:
        console.print(text, style="dim", markup=False)

    with a_folder("fillstream-fuzz-") as folder:
        async with site(Path(folder)) as where:
            target = Target(where.url, merged_document(load_all()))
            started = time.monotonic()
            findings = await asyncio.to_thread(run, target, where.people, plan, say)
            print_findings(console, findings, time.monotonic() - started)
            complaints = [*await _broken(where), *_errors_logged(where.log)]
            for complaint in complaints:
                console.print(complaint, style="red", markup=False, soft_wrap=True)
            console.print(f"{len(complaints)} invariants broken or errors logged")
            return not findings.failures and not complaints


async def _broken(where: Site) -> list[str]:
    """What the calls have broken, once everything that they began is done."""
    try:
        await where.in_flight.wait_until_none()
    except NeverQuiet as error:
        return [str(error)]
    violations: list[Violation] = await check(where.settings)
    return [str(violation) for violation in violations]


def _errors_logged(log: Path) -> list[str]:
    """Every call is somebody's mistake or none: the services have nothing to complain of."""
    return [line for line in log.read_text().splitlines() if '"level": "error"' in line]


if __name__ == "__main__":
    sys.exit(main())
