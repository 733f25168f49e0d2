"""How many people can log in? Against what argon2 alone reaches in as many processes, in the same run.

A login is mostly one argon2id hash. With one process that hashes, the other cores are there for all the rest (HTTP, two
transactions, tokens, events, the audit trail, and whoever asks), so that the ratio says how busy it is kept: that is what
is judged. With one for each core the rest takes its time from the hashes, and the ratio says how much that is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import cpu_count
from statistics import median

from bench.load import Answered, Load, Request, ask
from bench.people import BEHIND_A_PROXY, PASSWORD, logins, register
from bench.processes import Served, served
from bench.report import AtLeast, Row, compared
from bench.stage import Stage
from bench.turns import in_turns
from services.auth.hashing import Cost
from services.auth.passwords import Passwords
from services.auth.settings import Settings

_PEOPLE = 200
_WAITING = 8
"""Logins at once, beyond those that are hashed."""


@dataclass(frozen=True)
class _Turn:
    """The processor time that the service takes for a login, in seconds."""

    hashed: float
    other: float


async def measure(place: Stage) -> Sequence[Row]:
    """Logins a second."""
    requests = logins(await register(place, _PEOPLE))
    cores = cpu_count() or 1
    rows = []
    for processes, wanted in ((1, AtLeast(0.9)), (cores, None)):
        async with served(place, "fillstream", "serve", "auth", environment=_settings(processes)) as server:
            rows += await _against_argon2(place, server, requests, processes, wanted)
    return rows


def _settings(processes: int) -> Mapping[str, str]:
    return BEHIND_A_PROXY | {"FILLSTREAM_AUTH_HASHING_PROCESSES": str(processes), "FILLSTREAM_DATABASE_POOL_SIZE": "16"}


async def _against_argon2(
    place: Stage, server: Served, requests: list[Request], processes: int, wanted: AtLeast | None
) -> list[Row]:
    turns: list[_Turn] = []

    async def ours(_: str) -> float:
        hashed, computed = server.helper_seconds(), server.processor_seconds()
        answered = await _log_in(place, server, requests, processes)
        hashed, computed = server.helper_seconds() - hashed, server.processor_seconds() - computed
        turns.append(_Turn(hashed / answered.answers, computed / answered.answers))
        return answered.per_second

    async def hashes(_: str) -> float:
        return await _hash(Cost.of(place.where.settings(Settings)), processes, place.sized(30, 8) / 10)

    rates = await in_turns(place.sized(3, 1), {"logins": ours, "hashes": hashes})
    hashed, other = (
        1000 * median(figures) for figures in zip(*((one.hashed, one.other) for one in turns), strict=True)
    )
    row = compared(
        f"logins, hashing processes: {processes}", "1/s", rates["logins"], "argon2 in as many", rates["hashes"],
        wanted, note=f"a login takes {hashed:.1f} ms of a processor to hash, and {other:.1f} ms of the service besides",
    )  # fmt: skip
    return [row]


async def _log_in(place: Stage, server: Served, requests: list[Request], processes: int) -> Answered:
    seconds = place.sized(40, 8) / 10
    return await ask(Load(server.url, 200, processes + _WAITING, 0.5, seconds, requests))


async def _hash(cost: Cost, processes: int, seconds: float) -> float:
    """Passwords that are checked a second when nothing else is done."""
    passwords = Passwords(processes, processes, cost)
    known = await passwords.hash(PASSWORD)
    until, done = time.perf_counter() + seconds, 0

    async def check() -> None:
        nonlocal done
        while time.perf_counter() < until:
            if not await passwords.match(PASSWORD, known):
                raise AssertionError("a password does not match its own hash")
            done += 1

    started = time.perf_counter()
    await asyncio.gather(*(check() for _ in range(2 * processes)))
    return done / (time.perf_counter() - started)
