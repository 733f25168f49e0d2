"""How long does a login take while others want the cores? Less than two seconds beside two of them on each.

The service has the share of a core that the container for logins has. The others compute all of the time with the usual
priority, in the session of the service: where a system shares its cores among sessions first, niceness counts within one
alone, so that elsewhere they would be in the way less. Nobody else logs in meanwhile. The first row is without them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import cycle, islice
from os import cpu_count
from statistics import median

import httpx2

from bench.load import Request
from bench.people import BEHIND_A_PROXY, LOGINS_NICENESS, logins, register
from bench.processes import computing, served
from bench.report import Row, within
from bench.stage import Stage

_PEOPLE = 40
_LIMIT_SECONDS = 2.0
_PATIENCE_SECONDS = 120


async def measure(place: Stage) -> Sequence[Row]:
    """Seconds: the slowest login of forty."""
    requests = logins(await register(place, _PEOPLE))
    cores = cpu_count() or 1
    async with (
        served(place, "fillstream", "serve", "auth", environment=BEHIND_A_PROXY, niceness=LOGINS_NICENESS) as server,
        httpx2.AsyncClient(base_url=server.url, trust_env=False, timeout=_PATIENCE_SECONDS) as client,
    ):
        return [
            await _beside(client, list(islice(cycle(requests), place.sized(_PEOPLE, 3))), others)
            for others in (0, 1, cores, 2 * cores)
        ]


async def _beside(client: httpx2.AsyncClient, requests: Sequence[Request], others: int) -> Row:
    async with computing(others, niceness=0):
        took = [await _seconds(client, request) for request in requests]
    measured = f"login beside {others} busy programs on {cpu_count()} cores, slowest of {len(took)}"
    return within(measured, "s", max(took), _LIMIT_SECONDS, note=f"half of them took {median(took):.2f} s or less")


async def _seconds(client: httpx2.AsyncClient, login: Request) -> float:
    headers = login.headers | {"Content-Type": "application/json"}
    started = time.perf_counter()
    answer = await client.request(login.method, login.path, headers=headers, content=login.body)
    answer.raise_for_status()
    return time.perf_counter() - started
