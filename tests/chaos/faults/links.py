"""What can happen between services and servers? The link is cut, silent, late, narrow, or cut at the worst moment."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from fillstream.contexts import names
from tests.chaos.fault import Faults, PromiseBroken, Wanted
from tests.chaos.layouts import behind_links
from tests.chaos.servers import Layout
from tests.chaos.site import Site
from tests.instruments.proxy import Proxy
from tests.instruments.weather import CLEAR, COMMIT, PRODUCE, Cut, Line, Moment

SERVERS = ("postgres", "kafka")
_MOVE = re.compile(r"\s*WITH sent AS \(DELETE FROM outbox")
_OFFSETS = re.compile("OffsetCommit")
_TRAP_SECONDS = 3.0
_FORGOTTEN_SECONDS = 75.0
"""Longer than any time limit of the services (65 s)."""


@dataclass(frozen=True)
class CutLink:
    """All connections end, by RST or FIN, again and again."""

    server: str
    kind: str = "link-cut"
    layout: Layout = behind_links
    wanted: Wanted = Wanted.NOTHING_SAID

    @property
    def name(self) -> str:
        """Whose link."""
        return f"cut the link to {self.server}"

    async def inject(self, site: Site, rng: Random) -> None:
        """Five times, up to a second apart."""
        for _ in range(5):
            site.harm_ended()
            site.servers.links[self.server].cut(rng.choice(list(Cut)))
            await asyncio.sleep(rng.uniform(0.1, 1))


@dataclass(frozen=True)
class RefuseLink:
    """All connections end, and new ones are refused for a while."""

    server: str
    kind: str = "link-refused"
    layout: Layout = behind_links
    wanted: Wanted = Wanted.NOTHING_SAID

    @property
    def name(self) -> str:
        """Whose link."""
        return f"refuse connections to {self.server}"

    async def inject(self, site: Site, rng: Random) -> None:
        """For some seconds."""
        link = site.servers.links[self.server]
        await link.refuse()
        link.cut()
        await asyncio.sleep(rng.uniform(3, 8))
        site.harm_ended()
        await link.accept()


@dataclass(frozen=True)
class BlackHole:
    """Nothing comes through and nobody is told; then either all of it arrives, or the connections are reset."""

    server: str
    kind: str = "link-black-hole"
    layout: Layout = behind_links
    wanted: Wanted = Wanted.NOTHING_SAID

    @property
    def name(self) -> str:
        """Whose link."""
        return f"black hole before {self.server}"

    async def inject(self, site: Site, rng: Random) -> None:
        """For up to twelve seconds: longer than sessions last, shorter than most time limits."""
        link = site.servers.links[self.server]
        link.black_hole()
        await asyncio.sleep(rng.uniform(5, 12))
        if rng.random() < 0.5:
            link.cut()
        site.harm_ended()
        link.recover()


@dataclass(frozen=True)
class ForgetConnections:
    """What is open now is silent for ever, as when a firewall has forgotten it; what is opened anew works."""

    server: str
    kind: str = "link-forgotten"
    layout: Layout = behind_links
    wanted: Wanted = Wanted.NOTHING_SAID

    @property
    def name(self) -> str:
        """Whose link."""
        return f"forget connections to {self.server}"

    async def inject(self, site: Site, rng: Random) -> None:
        """Only time limits of their own help the services, and the servers."""
        await asyncio.sleep(rng.uniform(0, 1))
        forgotten = list(site.servers.links[self.server].connections)
        for connection in forgotten:
            connection.hold()
        site.harm_ended()
        await asyncio.sleep(_FORGOTTEN_SECONDS)
        for connection in forgotten:
            connection.cut(Cut.RESET)


@dataclass(frozen=True)
class BadLine:
    """Bytes are late, few, or overtaken by those of other connections."""

    server: str
    how: str
    line: Line
    layout: Layout = behind_links
    wanted: Wanted = Wanted.NOTHING_SAID

    @property
    def kind(self) -> str:
        """What it does."""
        return f"link-{self.how}"

    @property
    def name(self) -> str:
        """Whose link, and what happens to it."""
        return f"link to {self.server} {self.how}"

    async def inject(self, site: Site, rng: Random) -> None:
        """For ten to fifteen seconds."""
        link = site.servers.links[self.server]
        link.line = self.line
        await asyncio.sleep(rng.uniform(10, 15))
        site.harm_ended()
        link.line = CLEAR


@dataclass(frozen=True)
class CutAroundCommit:
    """A service sends COMMIT and never learns what became of it; each context, both roles."""

    moment: Moment
    layout: Layout = behind_links
    wanted: Wanted = Wanted.NOTHING_SAID

    @property
    def kind(self) -> str:
        """Which side of the commit."""
        return f"cut-{self.moment.name.lower()}-commit"

    @property
    def name(self) -> str:
        """Which side of the commit."""
        return f"cut {self.moment.name.lower()} COMMIT"

    async def inject(self, site: Site, rng: Random) -> None:
        """Twice for each that commits at all. Raises PromiseBroken when nobody did."""
        link = site.servers.links["postgres"]
        roles = [f"fillstream-{context}-{role}" for context in names() for role in ("api", "worker")]
        sprung = [await _cut(site, link, self.moment, COMMIT, role) for role in rng.sample(roles, len(roles))]
        _require(sum(sprung), "COMMIT")


@dataclass(frozen=True)
class CutAroundMove:
    """The relay has sent and moves the rows: a statement that commits by itself."""

    moment: Moment
    layout: Layout = behind_links
    wanted: Wanted = Wanted.NOTHING_SAID

    @property
    def kind(self) -> str:
        """Which side of the move."""
        return f"cut-{self.moment.name.lower()}-relay-move"

    @property
    def name(self) -> str:
        """Which side of the move."""
        return f"cut {self.moment.name.lower()} the relay's move"

    async def inject(self, site: Site, rng: Random) -> None:
        """Twice for each context that tells anything. Raises PromiseBroken when none did."""
        link = site.servers.links["postgres"]
        roles = [f"fillstream-{context}-worker" for context in rng.sample(names(), len(names()))]
        _require(sum([await _cut(site, link, self.moment, _MOVE, role) for role in roles]), "move")


@dataclass(frozen=True)
class CutAroundRequest:
    """A producer never learns whether its records are stored, a consumer not whether its offsets are."""

    request: re.Pattern[str]
    moment: Moment
    layout: Layout = behind_links
    wanted: Wanted = Wanted.NOTHING_SAID

    @property
    def kind(self) -> str:
        """Which side of which request."""
        return f"cut-{self.moment.name.lower()}-{self.request.pattern.lower()}"

    @property
    def name(self) -> str:
        """Which side of which request."""
        return f"cut {self.moment.name.lower()} {self.request.pattern}"

    async def inject(self, site: Site, rng: Random) -> None:
        """Ten times, whoever sends it. Raises PromiseBroken when nobody does."""
        link = site.servers.links["kafka"]
        sprung = 0
        for _ in range(5):
            await asyncio.sleep(rng.uniform(0, 0.5))
            sprung += await _cut(site, link, self.moment, self.request, "")
        _require(sprung, self.request.pattern)


async def _cut(site: Site, link: Proxy, moment: Moment, what: re.Pattern[str], application: str) -> int:
    """Cut twice, within a bounded time; tells how often it came to that."""
    trap = link.arm(moment, 2, what, application)
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(trap.done.wait(), _TRAP_SECONDS)
    finally:
        link.disarm()
    if trap.sprung:
        site.harm_ended()
    return trap.sprung


def _require(sprung: int, what: str) -> None:
    if not sprung:
        raise PromiseBroken(f"nobody sent a {what}: nothing was cut")


_LINES = {
    "delayed": Line(delay_seconds=0.1, jitter_seconds=0.1),
    "slowed": Line(bytes_per_second=40_000),
    "reordered": Line(jitter_seconds=0.6),
}
FAULTS: Faults = (
    *(kind(server) for kind in (CutLink, RefuseLink, BlackHole, ForgetConnections) for server in SERVERS),
    *(BadLine(server, how, line) for how, line in _LINES.items() for server in SERVERS),
    *(kind(moment) for kind in (CutAroundCommit, CutAroundMove) for moment in Moment),
    *(CutAroundRequest(request, moment) for request in (PRODUCE, _OFFSETS) for moment in Moment),
)
