"""How large may a request be? Bodies are bounded in size and depth before anything parses them."""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.kit.errors import FieldError
from libs.kit.http.problems import problem_response
from libs.kit.http.strict_json import ambiguity, nul_pointers

# Possessive, and content with a string that never ends: no body makes it look at a byte twice.
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_OPENING = b"[{"
_NUL = "holds the character NUL, which can't be kept"


def json_depth(body: bytes) -> int:
    """How deep arrays and objects nest, without parsing."""
    depth = deepest = 0
    for character in _STRINGS.sub(b"", body).translate(None, _NOT_BRACKETS):
        depth += 1 if character in _OPENING else -1
        deepest = max(deepest, depth)
    return deepest


class BodyLimits:
    """ASGI middleware: 413 for a body over `max_bytes`, 400 for ambiguous or too deep JSON, 422 for NUL."""

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
            answer: ASGIApp = problem_response(413, "too-large", f"the body is larger than {self.max_bytes} bytes")
        else:
            answer = self._refusal(scope, body) or _replayed(self.app, body)
        await answer(scope, receive, send)

    def _refusal(self, scope: Scope, body: bytes) -> Response | None:
        """The answer to a body that nothing behind this should see; None for all others."""
        if body.count(b"[") + body.count(b"{") > self.max_depth and json_depth(body) > self.max_depth:
            return problem_response(400, "too-deep", f"the body nests deeper than {self.max_depth} levels")
        if "json" not in Headers(scope=scope).get("content-type", ""):
            return None
        if (reason := ambiguity(body)) is not None:
            return problem_response(400, "malformed-json", f"the body is not JSON that all read alike: {reason}")
        if pointers := nul_pointers(body):
            errors = [FieldError(pointer, _NUL) for pointer in pointers]
            return problem_response(422, "invalid", f"{', '.join(pointers)}: {_NUL}", errors)
        return None

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


def _replayed(app: ASGIApp, body: bytes) -> ASGIApp:
    """The app, with a body that was read already."""

    async def with_body(scope: Scope, receive: Receive, send: Send) -> None:
        waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return waiting.pop() if waiting else await receive()

        await app(scope, again, send)

    return with_body
