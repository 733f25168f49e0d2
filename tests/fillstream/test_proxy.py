"""What goes through the proxy arrives as it was sent, both ways, and as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote

import pytest
from httpx2 import AsyncClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from fillstream.proxy import forwarding_to
from fillstream.serve import bind, listening
from tests.deploy.test_gateway import free_port
from tests.world import PATIENCE_SECONDS, eventually


@dataclass
class Backend:
    """A service that tells what it was asked, and streams word by word."""

    said: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    listeners: int = 0

    async def echo(self, request: Request) -> Response:
        body = {
            "method": request.method, "path": request.scope["path"], "raw_path": request.scope["raw_path"].decode(), "query": request.url.query,
            "headers": sorted([name, value] for name, value in request.headers.items() if name.startswith("x-t")),
            "body": (await request.body()).decode(),
            "forwarded_for": ", ".join(request.headers.getlist("x-forwarded-for")),
        }  # fmt: skip
        response = JSONResponse(body, 207, {"X-One": "1", "ETag": '"7"'})
        response.raw_headers += [(b"set-cookie", b"a=1; Path=/"), (b"set-cookie", b"b=2, or 3; Path=/")]
        return response

    async def stream(self, _request: Request) -> Response:
        return StreamingResponse(self._words(), media_type="text/event-stream")

    async def _words(self) -> AsyncIterator[bytes]:
        self.listeners += 1
        try:
            while word := await self.said.get():
                yield word
        finally:
            self.listeners -= 1

    def app(self) -> ASGIApp:
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
        return Starlette(routes=[Route("/stream", self.stream), Route("/{path:path}", self.echo, methods=methods)])


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    listener = bind("127.0.0.1", 0)
    async with listening(app, listener):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
async def client(backend: Backend) -> AsyncIterator[AsyncClient]:
    """Asks the backend through the proxy."""
    async with (
        served(backend.app()) as behind,
        AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as inner,
        served(forwarding_to(behind, inner)) as front,
        AsyncClient(base_url=front, trust_env=False, timeout=PATIENCE_SECONDS) as outer,
    ):
        yield outer


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_a_request_and_its_answer_are_passed_on_as_they_are(client: AsyncClient, method: str) -> None:
    headers = [("X-Twice", "1"), ("X-Twice", "2"), ("Connection", "keep-alive"), ("TE", "trailers")]
    answer = await client.request(method, "/v1/a%20b?c=%2F&c=2", headers=headers, content=b"\xc3\xa9" * 1_000)
    assert answer.status_code == 207
    assert answer.json() == {
        "method": method,
        "path": "/v1/a b",
        "raw_path": "/v1/a%20b",
        "query": "c=%2F&c=2",
        "headers": [["x-twice", "1"], ["x-twice", "2"]],
        "body": "é" * 1_000,
        "forwarded_for": "127.0.0.1",
    }
    assert (answer.headers["x-one"], answer.headers["etag"]) == ("1", '"7"')


async def test_whom_the_proxy_was_asked_by_stands_behind_what_the_client_says_of_itself(client: AsyncClient) -> None:
    answer = await client.get("/v1/a", headers={"X-Forwarded-For": "192.0.2.1, 192.0.2.2"})
    assert answer.json()["forwarded_for"] == "192.0.2.1, 192.0.2.2, 127.0.0.1"


async def test_a_header_that_comes_twice_stays_two(client: AsyncClient) -> None:
    answer = await client.get("/anything")
    assert answer.headers.get_list("set-cookie") == ["a=1; Path=/", "b=2, or 3; Path=/"]
    assert len(answer.headers.get_list("date")) == 1
    assert len(answer.headers.get_list("content-length")) == 1


@pytest.mark.parametrize(
    "path", ["/v1/bars%2F..%2Forders", "/v1/bars%3Flimit=1", "/v1/bars%23x", "/v1/%25%2Fa", "/v1/positions/BTC%2FUSDT"]
)
async def test_what_is_escaped_in_a_path_stays_escaped(client: AsyncClient, path: str) -> None:
    answer = (await client.get(f"{path}?c=1")).json()
    assert (answer["path"], answer["raw_path"], answer["query"]) == (unquote(path), path, "c=1")


async def test_the_head_of_an_answer_has_no_body(client: AsyncClient) -> None:
    answer = await client.head("/anything")
    assert (answer.status_code, answer.content) == (207, b"")


async def test_a_stream_is_passed_on_word_by_word(client: AsyncClient, backend: Backend) -> None:
    async with client.stream("GET", "/stream") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        chunks = answer.aiter_raw()
        for word in (b"one\n", b"two\n"):
            await backend.said.put(word)
            assert await anext(chunks) == word
        await backend.said.put(b"")
        assert [chunk async for chunk in chunks] == []
    assert backend.listeners == 0


async def test_the_service_hears_when_a_listener_has_gone(client: AsyncClient, backend: Backend) -> None:
    async with client.stream("GET", "/stream") as answer:
        await backend.said.put(b"one\n")
        assert await anext(answer.aiter_raw()) == b"one\n"
        assert backend.listeners == 1

    async def nobody_listens() -> None:
        assert backend.listeners == 0

    await eventually(nobody_listens)


async def test_a_service_that_is_away_is_a_problem_to_try_again() -> None:
    away = f"http://127.0.0.1:{free_port()}"
    async with (
        AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as inner,
        served(forwarding_to(away, inner)) as front,
        AsyncClient(base_url=front, trust_env=False, timeout=PATIENCE_SECONDS) as outer,
    ):
        answer = await outer.get("/v1/orders")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "the service does not answer now"
