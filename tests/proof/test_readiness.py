"""A process that is not ready, or not there, is a violation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from fillstream.serve import bind, listening
from tests.proof.invariants import unready


@asynccontextmanager
async def a_process(status: int, says: str) -> AsyncIterator[str]:
    """A process that answers so; gives its address."""

    async def answer(_: Request) -> JSONResponse:
        return JSONResponse({"status": says}, status)

    listener = bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    async with listening(Starlette(routes=[Route("/readyz", answer)]), listener):
        yield f"http://127.0.0.1:{port}"


async def test_processes_that_are_ready_violate_nothing() -> None:
    async with a_process(200, "ready") as one, a_process(200, "ready") as other:
        assert await unready([one, f"{other}/"]) == []


async def test_a_process_that_is_not_ready_is_named_with_its_answer() -> None:
    async with a_process(200, "ready") as well, a_process(503, "the relay has ended") as ill:
        [violation] = await unready([well, ill])
    assert violation.invariant == "every_process_is_ready"
    assert violation.detail == f'{ill}: it answers 503: {{"status":"the relay has ended"}}'


async def test_a_process_that_is_not_there_is_named() -> None:
    async with a_process(200, "ready") as gone:
        pass
    [violation] = await unready([gone])
    assert violation.detail.startswith(f"{gone}: it does not answer: ")
