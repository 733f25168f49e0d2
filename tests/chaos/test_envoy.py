"""Does the chaos site stand behind the gateway that is deployed, with its retry rules?"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from fillstream.contexts import names
from fillstream.serve import bind, listening
from tests.chaos.envoy import Gateway, running_gateway

CONCURRENT = 20


async def slowly(_: Request) -> Response:
    # Long enough for several to be under way at once: the replica that is gone has none.
    await asyncio.sleep(0.02)
    return PlainTextResponse("done")


APP = Starlette(routes=[Route("/{path:path}", slowly, methods=["GET", "POST"])])


@pytest.fixture
async def gone() -> AsyncIterator[socket.socket]:
    """An address at which nobody listens, and at which nobody else can."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken


@pytest.fixture
async def gateway(tmp_path: Path, gone: socket.socket) -> AsyncIterator[Gateway]:
    """A gateway with two replicas of each service, of which one is gone."""
    (tmp_path / "logs").mkdir()
    listener = bind("127.0.0.1", 0)
    there = int(listener.getsockname()[1])
    async with (
        listening(APP, listener),
        running_gateway({name: [there, gone.getsockname()[1]] for name in names()}, tmp_path) as running,
    ):
        await running.until_routed(names())
        yield running


async def test_requests_never_fail_for_a_replica_that_is_gone(gateway: Gateway) -> None:
    async with httpx2.AsyncClient(base_url=gateway.url, trust_env=False, timeout=30) as client:
        for _ in range(10):
            answers = await asyncio.gather(*(client.get("/v1/orders") for _ in range(CONCURRENT)))
            assert {answer.status_code for answer in answers} == {200}


async def test_a_replica_that_comes_later_is_soon_sent_to(gateway: Gateway, gone: socket.socket) -> None:
    assert set((await gateway.healthy()).values()) == {1}
    gone.listen()
    async with listening(APP, gone):
        await gateway.until_routed(names(), replicas=2)
