"""What does checking a token cost? The same empty request with the check and without it, by the server's processor time.

Processor time, not latency: it is the service's own, whoever else keeps the machine busy. All requests carry the same
header; the tokens are a hundred people's, each used again and again, as clients use them. The route that is compared with
has the same dependencies, which believe what they are told: what FastAPI takes for a dependency is part of the empty
request, and is told beside it, by a route that has none. So is the first check of a token, which verifies its signature.

Where a process happens to keep its code and data makes more of a difference than the check: there are several.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from statistics import median

from joserfc.jwk import KeySet

from bench.load import Load, Request, ask
from bench.processes import Served, served
from bench.report import Row, within
from bench.stage import Stage
from bench.turns import Contestant, in_turns
from libs.kit.ids import uuid7
from libs.kit.security import TokenVerifier
from tests.issuer import ISSUER, Issuer, running_issuer

_PEOPLE = 100
_CONNECTIONS = 4
_WANTED_PERCENT = 5
_PATHS = ("/v1/checked", "/v1/believed", "/v1/open")


async def measure(place: Stage) -> Sequence[Row]:
    """Microseconds of a processor, and the check's share of them."""
    async with running_issuer() as issuer:
        bearers = [f"Bearer {issuer.token(uuid7())}" for _ in range(_PEOPLE)]
        keys = {"FILLSTREAM_JWKS_URL": issuer.jwks_url}
        costs = [await _costs(place, keys, bearers) for _ in range(place.sized(5, 1))]
        first = await _first_checks(issuer, place.sized(2_000, 200))
    checked, believed, _ = (median(figures) for figures in zip(*costs, strict=True))
    percents = [100 * (one - other) / one for one, other, _ in costs]
    share = within("share of the check in an empty request", "%", median(percents), _WANTED_PERCENT)
    told = f"{checked:.0f} us with the check, {believed:.0f} us without it; from {min(percents):.1f} to {max(percents):.1f} %"
    return [
        replace(share, note=f"{told} in {len(costs)} processes"),
        Row("the check of a token that is used again", "us", median(one - other for one, other, _ in costs)),
        Row("what FastAPI takes for the dependencies", "us", median(other - bare for _, other, bare in costs)),
        Row("the first check of a token", "us", first),
    ]


async def _costs(place: Stage, keys: Mapping[str, str], bearers: Sequence[str]) -> tuple[float, float, float]:
    """A request that is checked, one that is believed, and an open one, in one process: medians of turns."""
    async with served(place, "bench.peers.noop", environment=keys) as server:

        async def cost(path: str) -> float:
            return await _microseconds(place, server, path, bearers)

        for path in _PATHS:
            # Each token is checked for the first time, and each route is warm.
            await cost(path)
        figures = await in_turns(place.sized(5, 2), {path: _asking(cost, path) for path in _PATHS})
    checked, believed, open_ = (figures[path] for path in _PATHS)
    return checked, believed, open_


def _asking(cost: Callable[[str], Awaitable[float]], path: str) -> Contestant:
    async def turn(_: str) -> float:
        return await cost(path)

    return turn


async def _microseconds(place: Stage, server: Served, path: str, bearers: Sequence[str]) -> float:
    """The processor time of one request, the warm-up's included in both parts of the fraction."""
    requests = [Request("GET", path, {"Authorization": bearer}) for bearer in bearers]
    before = server.processor_seconds()
    answered = await ask(Load(server.url, 204, _CONNECTIONS, 0.1, place.sized(20, 5) / 10, requests))
    return 1e6 * (server.processor_seconds() - before) / answered.answers


async def _first_checks(issuer: Issuer, count: int) -> float:
    """The processor time of checking a token that was never seen before."""

    async def source() -> KeySet:
        return KeySet.import_key_set({"keys": [issuer.key.as_dict(private=False)]})

    verifier = TokenVerifier(source, ISSUER, "fillstream")
    await verifier.verify(issuer.token(uuid7()))
    tokens = [issuer.token(uuid7()) for _ in range(count)]
    before = time.process_time()
    for token in tokens:
        await verifier.verify(token)
    return 1e6 * (time.process_time() - before) / count
