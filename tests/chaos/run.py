"""How does a run go? Site by site, injection by injection: work, harm, recovery, rest, and then the proof."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from random import Random

import asyncpg
from aiokafka.errors import KafkaError

from fillstream.inflight import NeverQuiet
from libs.kit.errors import FillstreamError
from tests.chaos.accepted import Differences
from tests.chaos.arrival import people
from tests.chaos.crowd import Crowd
from tests.chaos.fault import PromiseBroken
from tests.chaos.probe import NoProgress, Prober
from tests.chaos.report import Result
from tests.chaos.schedule import Injection, Schedule
from tests.chaos.servers import Layout, Unavailable
from tests.chaos.site import Site, open_site
from tests.proof.invariants import check

_INJECT_SECONDS = 300.0
_RESUME_SECONDS = 90.0
_WARM_SECONDS = 60.0
# What asking the servers raises while they are away.
_AWAY = (asyncpg.PostgresError, asyncpg.InterfaceError, KafkaError, OSError)


@dataclass(eq=False)
class Trial:
    """A site with people at work, on which one fault follows the other."""

    site: Site
    crowd: Crowd
    prober: Prober
    known: set[str]
    """What was found after an earlier injection, and is not this one's."""

    async def undergo(self, injection: Injection) -> Result:
        """Inject one fault under load, wait for recovery and rest, and look for harm."""
        found: list[str] = []
        resumed: float | None = None
        async with self.crowd.at_work(), self.prober.at_work():
            found += await _said(self.prober.resumed(time.monotonic(), _WARM_SECONDS))
            found += await _said(self._inject(injection))
            try:
                resumed = await self.prober.resumed(self.site.harm_ended_at, _RESUME_SECONDS)
            except NoProgress as error:
                found.append(f"no progress: {error}")
        found += await _said(self._rest())
        found += [f"refused: {what}" for what in self.crowd.accepted.refused]
        differences = Differences((), ())
        try:
            differences = await self.crowd.differences(self.site)
            found += [str(violation) for violation in await check(self.site.settings)]
        except _AWAY as error:
            found.append(f"nothing could be checked: {error!r}")
        return Result(injection, resumed, self._new(differences.lost), self._new(differences.double), self._new(found))

    async def _inject(self, injection: Injection) -> None:
        self.site.harm_ended()
        try:
            async with asyncio.timeout(_INJECT_SECONDS):
                await injection.fault.inject(self.site, Random(injection.seed))
        except TimeoutError as error:
            raise PromiseBroken(
                f"{injection.fault.name} took longer than {_INJECT_SECONDS:.0f} s: {error!r}"
            ) from error

    async def _rest(self) -> None:
        await self.site.restore()
        await self.site.until_all_ready()
        await self.crowd.settle()
        await self.site.until_quiet()

    def _new(self, found: list[str] | tuple[str, ...]) -> tuple[str, ...]:
        new = [what for what in found if what not in self.known]
        self.known.update(new)
        return tuple(new)


async def _said(work: Awaitable[object]) -> list[str]:
    """Nothing when the work ends well, or else what is to be said of it."""
    try:
        await work
    except (PromiseBroken, AssertionError, NeverQuiet, FillstreamError, TimeoutError, *_AWAY) as error:
        return [f"{type(error).__name__}: {error}"]
    return []


async def run(schedule: Schedule, folder: Path, begun: Callable[[str], None]) -> AsyncGenerator[Result, None]:
    """The result of each injection as it comes; logs and data are kept under `folder` until the caller removes it."""
    for number, (layout, injections) in enumerate(schedule.by_layout(), start=1):
        try:
            async with aclosing(_on(layout, folder / f"site-{number}", injections, schedule.seed, begun)) as results:
                async for result in results:
                    yield result
        except Unavailable as why:
            for injection in injections:
                yield Result(injection, None, skipped=str(why))


async def _on(
    layout: Layout, folder: Path, injections: list[Injection], seed: int, begun: Callable[[str], None]
) -> AsyncGenerator[Result, None]:
    await asyncio.to_thread(folder.mkdir, parents=True)
    started = time.monotonic()
    async with (
        layout(folder) as servers,
        open_site(servers, folder) as site,
        people(site, Random(seed)) as (crowd, prober),
    ):
        begun(f"a site on {layout.__name__.replace('_', ' ')} after {time.monotonic() - started:.0f} s")
        trial = Trial(site, crowd, prober, set())
        for injection in injections:
            yield await trial.undergo(injection)
        begun(
            f"{crowd.client.attempts} requests, {len(crowd.accepted.orders)} orders and {len(crowd.accepted.bars)} bars accepted"
        )
