"""Is the installation whole? `python -m tests.proof` checks the one that FILLSTREAM_DATABASE_URL and the rest name."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time

import asyncpg
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.table import Table

from fillstream.contexts import load_all
from fillstream.inflight import NeverQuiet, watch_in_flight
from fillstream.installation import ConfigurationError, Installation
from libs.kit.settings import Settings
from tests.proof.invariants import INVARIANTS, Violation, check, unready


def main() -> int:
    """Exit 0 when all is well, 1 when something is wrong, 2 when it could not be looked at."""
    options = _options()
    try:
        settings = Installation().settings(Settings)
        started = time.monotonic()
        violations = asyncio.run(_look(settings, options))
    except (ConfigurationError, OSError, asyncpg.PostgresError, KafkaError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 the answer
        return 2
    _show(violations, options.show, time.monotonic() - started)
    return 1 if violations else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.proof",
        description="Check every invariant against the databases and topics of an installation at rest.",
        epilog="The installation is the one that FILLSTREAM_DATABASE_URL, FILLSTREAM_KAFKA_BOOTSTRAP and "
        "FILLSTREAM_KAFKA_PREFIX name; the user must be a superuser. Exits 1 when an invariant is violated.",
    )
    parser.add_argument("--wait", type=float, default=60.0, metavar="SECONDS", help="until nothing is in flight")
    parser.add_argument("--show", type=int, default=5, metavar="N", help="violations to show of each invariant")
    parser.add_argument("--ready", nargs="*", default=[], metavar="URL", help="processes that must say they are ready")
    return parser.parse_args()


async def _look(settings: Settings, options: argparse.Namespace) -> list[Violation]:
    async with watch_in_flight(load_all(), settings) as in_flight:
        try:
            await in_flight.wait_until_none(options.wait)
        except NeverQuiet as error:
            # The invariants of rest will say it in detail, and others may be violated because of it.
            print(f"not at rest: {error}", file=sys.stderr)  # noqa: T201 the answer
    return await check(settings) + await unready(options.ready)


def _show(violations: list[Violation], most: int, seconds: float) -> None:
    # A pipe has no width; then lines are for a program to read.
    console = Console(width=None if sys.stdout.isatty() else int(os.environ.get("COLUMNS", "160")), highlight=False)
    table = Table("invariant", "says", "")
    for invariant in INVARIANTS:
        count = sum(violation.invariant == invariant.name for violation in violations)
        table.add_row(invariant.name, invariant.statement, f"[red]{count} violations" if count else "[green]holds")
    console.print(table)
    for name in dict.fromkeys(violation.invariant for violation in violations):
        own = [violation for violation in violations if violation.invariant == name]
        for violation in own[:most]:
            console.print(str(violation), soft_wrap=True, markup=False)
        if len(own) > most:
            console.print(f"{name}: and {len(own) - most} more")
    broken = len({violation.invariant for violation in violations})
    console.print(f"{len(INVARIANTS) - broken} of {len(INVARIANTS)} invariants hold; {seconds:.1f} s")


if __name__ == "__main__":
    sys.exit(main())
