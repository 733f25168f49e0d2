"""What can come out of a topic? Poison, what is too large, the same once more, and very much at a time."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from random import Random

from fillstream.contexts import load_all
from libs.kit.ids import uuid7
from libs.schema.catalogue import EVENTS, TOPICS
from libs.schema.event import DomainEvent
from libs.schema.marketdata import BarClosed
from tests.chaos.fault import Faults, PromiseBroken, Wanted
from tests.chaos.servers import Layout, one_of_each
from tests.chaos.site import Site
from tests.instruments.backlog import pile_up, until_caught_up
from tests.instruments.records import Sent, is_refused, poisons, send, send_again, unburied

BACKLOG = int(os.environ.get("CHAOS_BACKLOG", "20000"))
"""Events that a consumer falls behind; a million is a run of its own."""
_CAUGHT_UP_SECONDS = 1_500.0
_BURIED_SECONDS = 60.0
_POLL_SECONDS = 0.2
_AGAIN = 300


@dataclass(frozen=True)
class PoisonTopics:
    """Everything that can be wrong with a record, for one event of every topic."""

    name: str = "poison every topic"
    kind: str = "poison-records"
    layout: Layout = one_of_each
    wanted: Wanted = Wanted.NOTHING_SAID

    async def inject(self, site: Site, rng: Random) -> None:
        """Send it; whoever would have listened has to bury it. Raises PromiseBroken."""
        site.harm_ended()
        sent = await send(site.settings, [one for event in _one_of_each_topic(rng) for one in poisons(event, rng)])
        await _until_buried(site, sent)


@dataclass(frozen=True)
class OversizedRecords:
    """Larger than a topic takes, from a producer that does not mind."""

    name: str = "oversized records"
    kind: str = "oversized-records"
    layout: Layout = one_of_each
    wanted: Wanted = Wanted.NOTHING_SAID

    async def inject(self, site: Site, rng: Random) -> None:
        """The broker has to refuse them, and take what hardly fits. Raises PromiseBroken."""
        site.harm_ended()
        for event in _one_of_each_topic(rng):
            if not await is_refused(site.settings, event):
                raise PromiseBroken(f"{event.topic} took a record that is too large")
        large = [one for event in _one_of_each_topic(rng) for one in poisons(event, rng) if one.what == "hardly fits"]
        await _until_buried(site, await send(site.settings, large))


@dataclass(frozen=True)
class DuplicateRecords:
    """The newest records of every topic come once more, as they were."""

    name: str = "send records again"
    kind: str = "duplicate-records"
    layout: Layout = one_of_each
    wanted: Wanted = Wanted.NOTHING_SAID

    async def inject(self, site: Site, rng: Random) -> None:
        """Three times over."""
        for _ in range(3):
            site.harm_ended()
            for topic in rng.sample(TOPICS, len(TOPICS)):
                await send_again(site.settings, topic, _AGAIN)


@dataclass(frozen=True)
class FallBehind:
    """A context is away while very many bars are told, and then has to work them off."""

    context: str
    events: int = BACKLOG
    kind: str = "backlog"
    layout: Layout = one_of_each
    wanted: Wanted = Wanted.NOTHING_SAID

    @property
    def name(self) -> str:
        """Who is how far behind."""
        return f"{self.context} falls {self.events} behind"

    async def inject(self, site: Site, rng: Random) -> None:
        """Progress resumes when the backlog is worked off. Raises PromiseBroken when it never is."""
        await asyncio.sleep(rng.uniform(0, 1))
        await site.at(self.context).stop()
        backlog = await pile_up(site.settings, self.events, f"PILE{uuid7().hex[-8:].upper()}.")
        site.harm_ended()
        await site.start(self.context)
        try:
            await until_caught_up(site.settings, [self.context], backlog.topic, _CAUGHT_UP_SECONDS)
        except TimeoutError:
            raise PromiseBroken(f"{self.context} has not worked off {backlog.events} events") from None


def _one_of_each_topic(rng: Random) -> list[type[DomainEvent]]:
    return [rng.choice([event for event in EVENTS if event.topic == topic]) for topic in TOPICS]


async def _until_buried(site: Site, sent: list[Sent]) -> None:
    deadline = time.monotonic() + _BURIED_SECONDS
    while True:
        async with site.administrator() as database:
            wrong = await unburied(database, site.settings, load_all(), sent)
        if not wrong:
            return
        if time.monotonic() > deadline:
            raise PromiseBroken("; ".join(wrong[:10]))
        await asyncio.sleep(_POLL_SECONDS)


FAULTS: Faults = (
    PoisonTopics(),
    OversizedRecords(),
    DuplicateRecords(),
    *(FallBehind(context.name) for context in load_all() if BarClosed in context.listens_to()),
)
