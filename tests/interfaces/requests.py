"""How is an app asked ten thousand times without a client that costs more than the answer? One ASGI request, made once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.types import ASGIApp, Message, Scope

from tests.interfaces.people import Call
from tests.interfaces.routes import method_of, path_of


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes
    headers: frozenset[bytes]
    """Their names, in small letters."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that can be sent any number of times."""

    scope: Scope
    body: bytes

    @classmethod
    def of(cls, route: str, call: Call, headers: Mapping[str, str]) -> Request:
        """The request of a call."""
        path, body = path_of(route).format_map(call.path), json.dumps(call.body).encode() if call.body else b""
        told = {"host": "service", "content-type": "application/json", "content-length": str(len(body))} | dict(headers)
        scope: Scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method_of(route),
            "scheme": "http", "path": path, "raw_path": path.encode(), "root_path": "",
            "query_string": urlencode(call.query).encode(), "client": ("127.0.0.1", 1), "server": ("service", 80),
            "headers": [(name.lower().encode(), value.encode()) for name, value in told.items()],
        }  # fmt: skip
        return cls(scope, body)

    async def sent_to(self, app: ASGIApp) -> Answer:
        """Send it once."""
        status, chunks, names = 0, list[bytes](), frozenset[bytes]()

        async def receive() -> Message:
            return {"type": "http.request", "body": self.body, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status, names
            if message["type"] == "http.response.start":
                status, names = message["status"], frozenset(name for name, _ in message["headers"])
                return
            chunks.append(message.get("body", b""))

        await app(dict(self.scope), receive, send)
        return Answer(status, b"".join(chunks), names)
