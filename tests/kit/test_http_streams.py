"""What if a client leaves in the middle of a stream? Nothing: it is no error, and nobody has to be told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.types import Message, Scope

from libs.kit.http.observe import Observe

SCOPE: Scope = {
    "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "GET",
    "path": "/stream", "raw_path": b"/stream", "root_path": "", "scheme": "http", "query_string": b"", "headers": [],
}  # fmt: skip


class Broken(Exception):
    """An error of ours."""


def app_that_streams(last: int | None) -> Observe:
    app = FastAPI()

    @app.get("/stream", response_class=EventSourceResponse)
    async def stream() -> AsyncIterator[ServerSentEvent]:
        number = 0
        while number != last:
            yield ServerSentEvent(data=number)
            number += 1
        raise Broken

    return Observe(app, "probe")


async def never() -> Message:
    await asyncio.sleep(60)
    raise AssertionError("nobody waits for so long")


async def test_a_client_that_leaves_while_events_wait_for_it_is_no_error() -> None:
    sent = 0

    async def take_three(message: Message) -> None:
        nonlocal sent
        # Long enough for as many events to wait as may.
        await asyncio.sleep(0.05)
        sent += message["type"] == "http.response.body"
        if sent == 3:
            raise OSError("the client has left")

    await app_that_streams(last=None)(SCOPE, never, take_three)

    assert sent == 3


async def test_an_error_in_the_middle_of_a_stream_is_left_to_the_server() -> None:
    async def take(_message: Message) -> None:
        await asyncio.sleep(0)

    with pytest.raises(ExceptionGroup) as broken:
        await app_that_streams(last=3)(SCOPE, never, take)

    assert broken.group_contains(Broken)
