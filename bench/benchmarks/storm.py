"""Who notices a storm of logins? Callers of other routes, by the slowest of a hundred answers, against quiet times.

Auth, the auth that the gateway sends logins to, and orders run in a process each, as containers do, on the same cores. One
client asks one question after the other; in the storm, many others log in as fast as they are let in, all of the time.
Each question's second row shows what the machine makes of any work in the background, be it of the least priority.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from os import cpu_count
from statistics import median

import httpx2

from bench.load import Answered, Load, Request, ask
from bench.people import BEHIND_A_PROXY, LOGINS_NICENESS, logins, register
from bench.processes import Served, computing, served
from bench.report import AtMost, Row, compared
from bench.stage import Stage

_PEOPLE = 200
_STORMERS = 32
_CALM_SECONDS = 1.0
_ROUNDS = 4
_LEAST_PRIORITY = 19
_WANTED = AtMost(2)


@dataclass(frozen=True)
class _Question:
    """What is asked, and of whom."""

    url: str
    request: Request


async def measure(place: Stage) -> Sequence[Row]:
    """Milliseconds: the slowest of a hundred."""
    storm = logins(await register(place, _PEOPLE))
    async with _servers(place) as (auth, doors, orders):
        headers = {"Authorization": f"Bearer {await _token(auth, storm[-1])}"}
        questions = {
            "GET /v1/me": _Question(auth.url, Request("GET", "/v1/me", headers)),
            "GET /v1/orders": _Question(orders.url, Request("GET", "/v1/orders", headers)),
        }
        rounds = [await _round(place, doors, storm[:-1], questions) for _ in range(place.sized(_ROUNDS + 1, 1))]
    # Of the first nothing is kept: the broker compiles then what it runs often, for milliseconds at a time.
    return [row for name in questions for row in _rows(name, [one[name] for one in rounds[-_ROUNDS:]])]


@dataclass(frozen=True)
class _Answers:
    """To the same question in quiet times, beside others' work and in the storm, and how many logged in a second then."""

    quiet: Answered
    busy: Answered
    stormy: Answered
    logins: float


def _rows(name: str, rounds: Sequence[_Answers]) -> list[Row]:
    note = f"{median(one.logins for one in rounds):.0f} logins a second, {_STORMERS} at once"
    slowest = median(one.stormy.p99_ms for one in rounds)
    quiet = median(one.quiet.p99_ms for one in rounds)
    busy = median(one.busy.p99_ms for one in rounds)
    usual = median(one.stormy.p50_ms for one in rounds)
    usual_quiet = median(one.quiet.p50_ms for one in rounds)
    measured = f"{name} in a storm of logins"
    return [
        compared(f"{measured}, p99", "ms", slowest, "in quiet times", quiet, _WANTED, note=note),
        compared(f"{measured}, p99", "ms", slowest, "cores busy with other work", busy),
        compared(f"{measured}, p50", "ms", usual, "in quiet times", usual_quiet),
    ]


@asynccontextmanager
async def _servers(place: Stage) -> AsyncIterator[tuple[Served, Served, Served]]:
    async with (
        served(place, "fillstream", "serve", "auth", environment=BEHIND_A_PROXY) as auth,
        served(place, "fillstream", "serve", "auth", environment=BEHIND_A_PROXY, niceness=LOGINS_NICENESS) as doors,
    ):
        keys = {"FILLSTREAM_JWKS_URL": f"{auth.url}/.well-known/jwks.json"}
        async with served(place, "fillstream", "serve", "orders", environment=keys) as orders:
            yield auth, doors, orders


async def _token(auth: Served, login: Request) -> str:
    async with httpx2.AsyncClient(base_url=auth.url, trust_env=False, timeout=30) as client:
        answer = await client.post(login.path, json=json.loads(login.body))
        return str(answer.raise_for_status().json()["access_token"])


async def _round(
    place: Stage, doors: Served, storm: list[Request], questions: dict[str, _Question]
) -> dict[str, _Answers]:
    quiet = {name: await _ask(place, question) for name, question in questions.items()}
    async with computing(cpu_count() or 1, niceness=_LEAST_PRIORITY):
        await asyncio.sleep(_CALM_SECONDS)
        busy = {name: await _ask(place, question) for name, question in questions.items()}
    seconds = len(questions) * (_seconds(place) + _CALM_SECONDS) + _CALM_SECONDS
    raging = asyncio.create_task(ask(Load(doors.url, 200, _STORMERS, _CALM_SECONDS, seconds, storm)))
    await asyncio.sleep(2 * _CALM_SECONDS)
    stormy = {name: await _ask(place, question) for name, question in questions.items()}
    if raging.done():
        raise AssertionError("the storm was over before the last answer")
    rate = (await raging).per_second
    return {name: _Answers(quiet[name], busy[name], stormy[name], rate) for name in questions}


async def _ask(place: Stage, question: _Question) -> Answered:
    return await ask(Load(question.url, 200, 1, 0.3, _seconds(place), [question.request]))


def _seconds(place: Stage) -> float:
    return place.sized(60, 15) / 10
