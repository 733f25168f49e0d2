"""How large may a request be? Bodies are bounded in size and depth before anything parses them."""

from __future__ import annotations

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.kit.http.problems import problem_response

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_OPENING = b"[{"


def json_depth(body: bytes) -> int:
    """How deep arrays and objects nest, without parsing."""
    depth = deepest = 0
    for character in _STRINGS.sub(b"", body).translate(None, _NOT_BRACKETS):
        depth += 1 if character in _OPENING else -1
        deepest = max(deepest, depth)
    return deepest


class BodyLimits:
    """ASGI middleware: 413 for a body over `max_bytes`, 400 for JSON nested deeper than `max_depth`."""

    def __init__(self, app: ASGIApp, max_bytes: int, max_depth: int) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.max_depth = max_depth

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body whole, check it, and hand it on."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self.app(scope, receive, send)
            return
        body = await self._read(receive)
        if body is None:
            answer = problem_response(413, "too-large", f"the body is larger than {self.max_bytes} bytes")
            await answer(scope, receive, send)
            return
        if body.count(b"[") + body.count(b"{") > self.max_depth and json_depth(body) > self.max_depth:
            answer = problem_response(400, "too-deep", f"the body nests deeper than {self.max_depth} levels")
            await answer(scope, receive, send)
            return
        await self.app(scope, _replay(body, receive), send)

    async def _read(self, receive: Receive) -> bytes | None:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > self.max_bytes:
                return None
            chunks.append(chunk)
            if not message.get("more_body", False):
                break
        return b"".join(chunks)


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again
