"""How are all faults tried? First none at all, which has to pass; then each in a copy of its own, some at once."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from fillstream.embedded.concurrency import together
from tests.mutants.fault import Fault
from tests.mutants.stations import OpenStation, Station
from tests.mutants.tree import NotPlanted, copy_sources, copy_tree, plant
from tests.mutants.trial import Ruling, Verdict, judge, run_tests

Tell = Callable[[Fault, Ruling], None]
_NO_BYTECODE = {"PYTHONDONTWRITEBYTECODE": "1"}
"""A patched file may have the size and the second of the one before: bytecode of it would stay for that."""


class BaselineFailed(Exception):
    """The named tests fail without any fault, so that they prove nothing; the text says which."""


@dataclass(frozen=True, slots=True)
class Result:
    """A fault, and what became of it."""

    fault: Fault
    ruling: Ruling


@dataclass(frozen=True)
class Campaign:
    """Faults, the tree that they are planted in copies of, and a folder for these."""

    root: Path
    faults: Sequence[Fault]
    open_station: OpenStation
    jobs: int
    scratch: Path

    async def run(self, tell: Tell) -> list[Result]:
        """Try them all; each ruling is told as it comes. Raises BaselineFailed."""
        clean = copy_sources(self.root, self.scratch / "clean")
        async with self._stations() as stations:
            await self._check_baseline(clean, stations)
            waiting = iter(self.faults)
            done: list[Result] = []

            async def work(station: Station) -> None:
                for fault in waiting:
                    ruling = await self._try(fault, clean, station)
                    tell(fault, ruling)
                    done.append(Result(fault, ruling))

            await asyncio.gather(*(work(station) for station in stations))
        return sorted(done, key=lambda result: result.fault.name)

    @asynccontextmanager
    async def _stations(self) -> AsyncIterator[list[Station]]:
        opened: list[Station] = []
        async with AsyncExitStack() as stack:

            async def open_one(home: Path) -> None:
                opened.append(await stack.enter_async_context(self.open_station(home)))

            count = min(self.jobs, len(self.faults))
            await together(*(open_one(self.scratch / f"station-{number}") for number in range(count)))
            yield opened

    async def _check_baseline(self, clean: Path, stations: Sequence[Station]) -> None:
        """Run every named test on the clean copy; what it leaves of bytecode serves all copies of it."""
        shares = _shares([test for fault in self.faults for test in fault.caught_by], len(stations))
        judged = await asyncio.gather(
            *(
                self._baseline(share, clean, station, f"baseline-{number}")
                for number, (share, station) in enumerate(zip(shares, stations, strict=False))
            )
        )
        if failed := [ruling.reason for ruling in judged if ruling.verdict is not Verdict.SURVIVED]:
            raise BaselineFailed("; ".join(failed))

    async def _baseline(self, tests: Sequence[str], clean: Path, station: Station, name: str) -> Ruling:
        ruling = judge(await run_tests(clean, tests, station.environment, self._notes(name)))
        return replace(ruling, reason=f"{ruling.caught_by} {ruling.reason}".strip())

    async def _try(self, fault: Fault, clean: Path, station: Station) -> Ruling:
        tree = await asyncio.to_thread(copy_tree, clean, self.scratch / fault.name)
        try:
            await asyncio.to_thread(plant, fault, tree)
            await station.sweep()
            environment, notes = {**station.environment, **_NO_BYTECODE}, self._notes(fault.name)
            return judge(await run_tests(tree, fault.caught_by, environment, notes, "-x"))
        except NotPlanted as problem:
            return Ruling(Verdict.VOID, str(problem))
        finally:
            await asyncio.to_thread(shutil.rmtree, tree)

    def _notes(self, name: str) -> Path:
        """A folder for what a run of tests says."""
        folder = self.scratch / "notes" / name
        folder.mkdir(parents=True)
        return folder


def _shares(tests: Sequence[str], count: int) -> list[list[str]]:
    """The tests in as many parts, those of one file together, since a file's tests share what is dear."""
    files: dict[str, list[str]] = {}
    for test in dict.fromkeys(tests):
        files.setdefault(test.partition("::")[0], []).append(test)
    shares: list[list[str]] = [[] for _ in range(min(count, len(files)))]
    for own in sorted(files.values(), key=len, reverse=True):
        min(shares, key=len).extend(own)
    return shares
