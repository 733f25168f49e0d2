"""What is known of every request? Its ids, its duration, and headers that browsers need to be careful."""

from __future__ import annotations

import re
import secrets
import time
from contextvars import ContextVar

import structlog
from anyio import BrokenResourceError
from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.kit.http.problems import METHODS, unexpected
from libs.kit.ids import uuid7, uuid_of
from libs.kit.metrics import REQUEST_SECONDS
from libs.schema.event import Cause

_TRACEPARENT = re.compile(r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
}
# Others are the client's invention, and each would be a new series of the metric.
_METHODS = frozenset(METHODS)
# In the metric alone: the client left before there was an answer.
_LEFT = 499
_OF_LEAVING = (BrokenResourceError, ClientDisconnect)
_STRICT_CONTENT = "default-src 'none'; frame-ancestors 'none'"

_cause: ContextVar[Cause] = ContextVar("cause")


async def current_cause(_request: Request) -> Cause:
    """The chain that this request begins or goes on with; for `Depends`."""
    return _cause.get()


def _cause_of(headers: Headers) -> Cause:
    try:
        correlation_id = uuid_of(headers.get("x-correlation-id", ""))
    except ValueError:
        correlation_id = uuid7()
    traceparent = headers.get("traceparent", "")
    if not _TRACEPARENT.match(traceparent):
        traceparent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    return Cause(correlation_id, None, traceparent)


def _is_of_leaving(error: Exception) -> bool:
    """Whether nothing happened but that the client left: a stream then finds its end closed, here and there."""
    if isinstance(error, ExceptionGroup):
        return error.split(_OF_LEAVING)[1] is None
    return isinstance(error, _OF_LEAVING)


class Observe:
    """ASGI middleware: correlation and trace ids in, security headers and a duration out."""

    def __init__(self, app: ASGIApp, context: str) -> None:
        self.app = app
        self.context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wrap one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        cause = _cause_of(Headers(scope=scope))
        _cause.set(cause)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(
            correlation_id=str(cause.correlation_id), traceparent=cause.traceparent, context=self.context
        )
        started, status = time.perf_counter(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._add_headers(MutableHeaders(scope=message), cause)
            await send(message)

        try:
            await self.app(scope, receive, answer)
        except Exception as error:
            if _is_of_leaving(error):
                return
            if status:  # half an answer is out; only the server can break it off
                raise
            await unexpected(self.context, error)(scope, receive, answer)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            REQUEST_SECONDS.labels(self.context, method, route, status or _LEFT).observe(time.perf_counter() - started)

    def _add_headers(self, headers: MutableHeaders, cause: Cause) -> None:
        headers["X-Correlation-Id"] = str(cause.correlation_id)
        for name, value in _SECURITY_HEADERS.items():
            headers.setdefault(name, value)
        if not headers.get("content-type", "").startswith("text/html"):
            headers.setdefault("Content-Security-Policy", _STRICT_CONTENT)
