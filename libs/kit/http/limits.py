"""How large may a request be? Bodies are bounded in size and depth before anything parses them."""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.kit.http.problems import problem_response
from libs.kit.http.strict_json import ambiguity

# Possessive, and content with a string that never ends: no body makes it look at a byte twice.
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
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
    """ASGI middleware: 413 for a body over `max_bytes`, 400 for JSON that is ambiguous or nested deeper than `max_depth`."""

    def __init__(self, app: ASGIApp, max_bytes: int, max_depth: int) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.max_depth = max_depth

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body whole, check it, and hand it on."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self.app(scope, receive, send)
            return
        try:
            body = await self._read(scope, receive)
        except ClientDisconnect:
            return
        if body is None:
            answer = problem_response(413, "too-large", f"the body is larger than {self.max_bytes} bytes")
            await answer(scope, receive, send)
            return
        if body.count(b"[") + body.count(b"{") > self.max_depth and json_depth(body) > self.max_depth:
            answer = problem_response(400, "too-deep", f"the body nests deeper than {self.max_depth} levels")
            await answer(scope, receive, send)
            return
        if _is_json(scope) and (reason := ambiguity(body)) is not None:
            answer = problem_response(400, "malformed-json", f"the body is not JSON that all read alike: {reason}")
            await answer(scope, receive, send)
            return
        await self.app(scope, _replay(body, receive), send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """The body, or None when it is too large. Raises ClientDisconnect when the client left in the middle of it."""
        if _announced_length(scope) > self.max_bytes:
            return None
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > self.max_bytes:
                return None
            chunks.append(chunk)
            if not message.get("more_body", False):
                break
        return b"".join(chunks)


def _announced_length(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "0")
    return int(length) if length.isdecimal() else 0


def _is_json(scope: Scope) -> bool:
    return "json" in Headers(scope=scope).get("content-type", "")


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again
