"""How does one benchmark run? In a process of its own, on the event loop that services use, with its results in a file.

`python -m bench.alone NAME HOME RESULTS [--quick]`; the runner `python -m bench` calls it.
"""

from __future__ import annotations

import importlib
import pkgutil
from argparse import ArgumentParser
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import cast

from bench import benchmarks
from bench.machine import terms
from bench.report import Results, Row
from bench.stage import Stage, stage
from fillstream.cli.shell import run
from libs.kit.logging import configure_logging

Measure = Callable[[Stage], Awaitable[Sequence[Row]]]


def names() -> list[str]:
    """Every module of `bench.benchmarks`, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__))


def purpose(name: str) -> str:
    """The question that a benchmark answers."""
    return (importlib.import_module(f"bench.benchmarks.{name}").__doc__ or "").partition("\n")[0]


async def measure(name: str, home: Path, *, quick: bool) -> Results:
    """What a benchmark finds on fresh servers."""
    work = cast("Measure", importlib.import_module(f"bench.benchmarks.{name}").measure)
    async with stage(home, quick=quick) as place:
        settings = await terms(place.settings)
        return Results(await work(place), settings)


def main() -> None:
    """Measure and write the results."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=names())
    parser.add_argument("home", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args()
    configure_logging("WARNING")
    run(measure(chosen.name, chosen.home, quick=chosen.quick)).write(chosen.results)


if __name__ == "__main__":
    main()
