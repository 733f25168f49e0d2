"""How does the gateway reach a service in another process? It forwards requests and streams the answers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from libs.kit.http.problems import problem_response

# RFC 9110, section 7.6.1: these belong to one connection, not to the message.
_HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host"}


def forwarding_to(url: str, client: httpx2.AsyncClient) -> ASGIApp:
    """An ASGI app that asks the service at `url`; 503 when it does not answer."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = await _forward(Request(scope, receive), url, client)
        await response(scope, receive, send)

    return app


async def _forward(request: Request, url: str, client: httpx2.AsyncClient) -> Response:
    # As it was written: decoded, an escaped slash or question mark would mean something else.
    path = request.scope["raw_path"].decode("ascii")
    target = f"{url}{path}" + (f"?{request.url.query}" if request.url.query else "")
    headers = [(name, value) for name, value in request.headers.items() if name not in _HOP_BY_HOP]
    # After what the client may have invented: the service believes us, and reads it from the end.
    headers += [("x-forwarded-for", request.client.host)] if request.client else []
    try:
        answer = await client.send(
            client.build_request(request.method, target, headers=headers, content=await request.body()), stream=True
        )
    except httpx2.HTTPError:
        return problem_response(503, "unavailable", "the service does not answer now", retry_after=1)
    response = StreamingResponse(_body(answer), answer.status_code, background=BackgroundTask(answer.aclose))
    # Pair by pair: a header such as Set-Cookie may come more than once. The date is added by our own server.
    dropped = {name.encode() for name in (*_HOP_BY_HOP, "date")}
    response.raw_headers = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() not in dropped]
    return response


async def _body(answer: httpx2.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    finally:
        # Also when the client has gone away in the middle.
        await answer.aclose()
