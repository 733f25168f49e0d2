"""How fast is it? Each figure beside that of its peer or its limit, measured in the same run, and given as a ratio.

Every benchmark runs in a process and on servers of its own: one that fails is reported, and the others go on.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from bench.alone import names, purpose
from bench.machine import machine
from bench.report import Results, Row, keep, print_table
from fillstream.embedded.stack import remove_home
from fillstream.installation import home

_PATIENCE_SECONDS = 600
_END_SECONDS = 40
_WIDTH = 150
console = Console(width=None if sys.stdout.isatty() else _WIDTH)


@dataclass(frozen=True)
class Failed:
    """A benchmark that gave no results."""

    reason: str
    log: Path


def main() -> None:
    """Run what was asked for; exit 2 for an unknown name, 1 when a benchmark failed."""
    chosen, quick = _arguments()
    logs = home() / "bench"
    logs.mkdir(parents=True, exist_ok=True)
    found: dict[str, Results] = {}
    failed: dict[str, Failed] = {}
    for name in chosen:
        started = time.monotonic()
        outcome = asyncio.run(_run(name, logs / f"{name}.log", quick=quick))
        if isinstance(outcome, Results):
            found[name] = outcome
        else:
            failed[name] = outcome
        console.print(
            f"{name}: {'FAILED' if name in failed else 'done'} in {time.monotonic() - started:.0f} s", style="dim"
        )
    _tell(found, failed, quick=quick)
    sys.exit(1 if failed else 0)


def _arguments() -> tuple[list[str], bool]:
    known = names()
    parser = ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        epilog="benchmarks:\n" + "\n".join(f"  {name:10} {purpose(name)}" for name in known),
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which benchmarks; all of them unless named")
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, to see that everything runs; figures are not kept or judged"
    )
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in known]
    if unknown:
        sys.stderr.write(f"bench: there is no benchmark {', '.join(unknown)}; there are {', '.join(known)}\n")
        sys.exit(2)
    return given.names or known, given.quick


async def _run(name: str, log: Path, *, quick: bool) -> Results | Failed:
    """Run one benchmark; whatever becomes of it, its servers are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=f"fillstream-bench-{name}-", ignore_cleanup_errors=True) as folder:
        servers, results = Path(folder) / "home", Path(folder) / "results.json"
        arguments = [name, str(servers), str(results), *(["--quick"] if quick else [])]
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bench.alone", *arguments, stdout=output, stderr=output, start_new_session=True
            )
            reason = await _ended(process)
        if reason is None and results.exists():
            return Results.read(results)
        if servers.exists():
            await remove_home(servers)
        return Failed(reason or _last_line(log), log)


async def _ended(process: asyncio.subprocess.Process) -> str | None:
    """Wait for the process, but not for ever; why it had to be ended, or None."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await process.wait()
    except TimeoutError:
        await _end(process)
        return f"it took longer than {_PATIENCE_SECONDS} s"
    except asyncio.CancelledError:
        await _end(process)
        raise
    return None


async def _end(process: asyncio.subprocess.Process) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(_END_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"


def _tell(found: dict[str, Results], failed: dict[str, Failed], *, quick: bool) -> None:
    facts = machine()
    console.print(" | ".join(f"{name} {value}" for name, value in facts.items()), style="dim", highlight=False)
    for terms in {tuple(results.settings.items()) for results in found.values()}:
        console.print(" | ".join(f"{name} {value}" for name, value in terms), style="dim", highlight=False)
    print_table(console, _rows(found, judged=not quick))
    for name, failure in failed.items():
        console.print(f"[red]FAILED[/] {name}: {failure.reason} (its log is {failure.log})", highlight=False)
    if quick:
        console.print("--quick: these figures mean nothing and are not kept", style="dim")
    else:
        keep(found, facts, f"{datetime.now(UTC):%Y-%m-%d}")


def _rows(found: dict[str, Results], *, judged: bool) -> Sequence[tuple[str, Row]]:
    rows = [(name, row) for name, results in found.items() for row in results.rows]
    return rows if judged else [(name, replace(row, met=None)) for name, row in rows]


if __name__ == "__main__":
    main()
