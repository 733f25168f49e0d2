"""Who notices a storm of logins? Callers of other routes, by the slowest of a hundred answers, against quiet times.

Auth and orders run in a process each, as containers do, on the same cores. One client asks one question after the other;
in the storm, many others log in as fast as they are let in, all of the time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median

import httpx2

from bench.load import Answered, Load, Request, ask
from bench.people import BEHIND_A_PROXY, logins, register
from bench.processes import Served, served
from bench.report import AtMost, Row, compared
from bench.stage import Stage

_PEOPLE = 200
_STORMERS = 32
_CALM_SECONDS = 1.0
_WANTED = AtMost(2)


@dataclass(frozen=True)
class _Question:
    """What is asked, and of whom."""

    url: str
    request: Request


async def measure(place: Stage) -> Sequence[Row]:
    """Milliseconds: the slowest of a hundred."""
    storm = logins(await register(place, _PEOPLE))
    async with _servers(place) as (auth, orders):
        headers = {"Authorization": f"Bearer {await _token(auth, storm[-1])}"}
        questions = {
            "GET /v1/me": _Question(auth.url, Request("GET", "/v1/me", headers)),
            "GET /v1/orders": _Question(orders.url, Request("GET", "/v1/orders", headers)),
        }
        rounds = [await _round(place, auth, storm[:-1], questions) for _ in range(place.sized(3, 1))]
    return [row for name in questions for row in _rows(name, [one[name] for one in rounds])]


@dataclass(frozen=True)
class _Pair:
    """The same question in quiet times and in the storm, and how many logged in a second meanwhile."""

    quiet: Answered
    stormy: Answered
    logins: float


def _rows(name: str, pairs: Sequence[_Pair]) -> list[Row]:
    let_in = median(pair.logins for pair in pairs)
    note = f"{let_in:.0f} logins a second, {_STORMERS} at once"
    figures = [
        (
            f"{name} in a storm of logins, p99",
            [pair.stormy.p99_ms for pair in pairs],
            [pair.quiet.p99_ms for pair in pairs],
        ),
        (
            f"{name} in a storm of logins, p50",
            [pair.stormy.p50_ms for pair in pairs],
            [pair.quiet.p50_ms for pair in pairs],
        ),
    ]
    return [
        compared(what, "ms", median(stormy), "in quiet times", median(quiet), wanted, note=said)
        for (what, stormy, quiet), wanted, said in zip(figures, (_WANTED, None), (note, ""), strict=True)
    ]


@asynccontextmanager
async def _servers(place: Stage) -> AsyncIterator[tuple[Served, Served]]:
    async with served(place, "fillstream", "serve", "auth", environment=BEHIND_A_PROXY) as auth:
        keys = {"FILLSTREAM_JWKS_URL": f"{auth.url}/.well-known/jwks.json"}
        async with served(place, "fillstream", "serve", "orders", environment=keys) as orders:
            yield auth, orders


async def _token(auth: Served, login: Request) -> str:
    async with httpx2.AsyncClient(base_url=auth.url, trust_env=False, timeout=30) as client:
        answer = await client.post(login.path, json=json.loads(login.body))
        return str(answer.raise_for_status().json()["access_token"])


async def _round(place: Stage, auth: Served, storm: list[Request], questions: dict[str, _Question]) -> dict[str, _Pair]:
    quiet = {name: await _ask(place, question) for name, question in questions.items()}
    seconds = len(questions) * (_seconds(place) + _CALM_SECONDS) + _CALM_SECONDS
    raging = asyncio.create_task(ask(Load(auth.url, 200, _STORMERS, _CALM_SECONDS, seconds, storm)))
    await asyncio.sleep(2 * _CALM_SECONDS)
    stormy = {name: await _ask(place, question) for name, question in questions.items()}
    if raging.done():
        raise AssertionError("the storm was over before the last answer")
    rate = (await raging).per_second
    return {name: _Pair(quiet[name], stormy[name], rate) for name in questions}


async def _ask(place: Stage, question: _Question) -> Answered:
    return await ask(Load(question.url, 200, 1, 0.3, _seconds(place), [question.request]))


def _seconds(place: Stage) -> float:
    return place.sized(40, 15) / 10
