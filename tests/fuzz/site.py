"""Where do the calls go? To all services in one process of their own, on servers that nobody else uses."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from fillstream.contexts import load_all, names
from fillstream.embedded.stack import Endpoints, embedded_stack, remove_home
from fillstream.inflight import InFlight, watch_in_flight
from fillstream.installation import Installation, prepare
from fillstream.serve import bind
from libs.kit.errors import FillstreamError
from libs.kit.settings import Settings
from tests.fuzz.people import Person, prepare_people
from tests.keysets import keyset_url

_START_SECONDS = 120.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.1
_TOKEN_SECONDS = 3_600


class NotServed(FillstreamError):
    """The services did not come up, or went away; the text says where their log is."""


@dataclass(frozen=True)
class Site:
    """An installation at work."""

    url: str
    settings: Settings
    people: list[Person]
    in_flight: InFlight
    log: Path


@asynccontextmanager
async def site(folder: Path) -> AsyncIterator[Site]:
    """Everything at work, with its data and its log under a folder. Raises StackError, NotServed."""
    home = folder / "home"
    try:
        async with embedded_stack(home, lambda _: None) as endpoints:
            where = _installation(endpoints)
            await prepare(where)
            async with _serving(where, folder / "services.log") as running:
                yield running
    finally:
        await remove_home(home)


def _installation(endpoints: Endpoints) -> Installation:
    listener = bind("127.0.0.1", 0)
    port = int(listener.getsockname()[1])
    listener.close()
    return Installation(
        {
            "database_url": endpoints.database_url,
            "kafka_bootstrap": endpoints.kafka_bootstrap,
            "encryption_key_url": keyset_url(),
            "mail_token_secret": "not much of a secret, but a long one",
            "access_token_seconds": _TOKEN_SECONDS,
            "http_port": port,
            "jwks_url": f"http://127.0.0.1:{port}/.well-known/jwks.json",
            "log_level": "WARNING",
            "rate_limit_scale": 1_000,
            # Orders by hand have the time of the clock, so the bars that fill them are yet to come.
            "marketdata_bar_skew_seconds": 3e9,
        }
    )


@asynccontextmanager
async def _serving(where: Installation, log: Path) -> AsyncIterator[Site]:
    settings = where.settings(Settings)
    url = f"http://127.0.0.1:{settings.http_port}"
    async with (
        _process(where, log),
        httpx2.AsyncClient(base_url=url, trust_env=False, timeout=30) as client,
        watch_in_flight(load_all(), settings) as in_flight,
    ):
        await _until_ready(client, log)
        yield Site(url, settings, await prepare_people(client, where, in_flight), in_flight, log)


@asynccontextmanager
async def _process(where: Installation, log: Path) -> AsyncIterator[None]:
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "fillstream", "serve", *names(), "--until-input-ends",
            env=os.environ | where.environment(), stdin=asyncio.subprocess.PIPE, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _until_ready(client: httpx2.AsyncClient, log: Path) -> None:
    deadline = asyncio.get_running_loop().time() + _START_SECONDS
    while not await _is_ready(client):
        if asyncio.get_running_loop().time() > deadline:
            raise NotServed(f"the services are not ready after {_START_SECONDS:.0f} s; their log is {log}")
        await asyncio.sleep(_POLL_SECONDS)


async def _is_ready(client: httpx2.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).is_success
    except httpx2.HTTPError:
        return False
