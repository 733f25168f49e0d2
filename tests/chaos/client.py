"""How does a proper client call? With a key for each request, again until it is told, and it remembers what failed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

import httpx2

from libs.kit.ids import uuid7

_ATTEMPT_SECONDS = 5.0
_PAUSES = (0.05, 0.1, 0.2, 0.5)
# 401 too: the keys or the clocks may be away for a moment, and there is nothing else to try.
_AGAIN = frozenset({401, 429, 502, 503, 504})


class GaveUp(Exception):
    """No answer came in all the time that the client had: nobody knows whether it was done."""


class Refused(Exception):
    """The answer is a refusal that a repetition would not change."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Failure:
    """One attempt that was not answered as it should be."""

    at: float
    """In `time.monotonic()`."""
    what: str

    def __str__(self) -> str:
        """What was asked for and what came."""
        return self.what


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered in the end."""

    document: Mapping[str, str]
    correlation_id: UUID
    attempts: int


@dataclass(eq=False)
class Client:
    """Calls one address, for whoever's token is given."""

    http: httpx2.AsyncClient
    failures: list[Failure] = field(default_factory=list)
    """Attempts that came to nothing through the gateway: no answer, or one that is the servers' fault."""
    attempts: int = 0
    patience_seconds: float = 60.0

    async def post(self, path: str, body: object, token: str = "", key: str | None = None) -> Answer:
        """Ask until there is an answer. Raises Refused and GaveUp."""
        return await self._call("POST", path, body, _headers(token, key))

    async def get(self, path: str, token: str) -> Answer:
        """Ask until there is an answer. Raises Refused and GaveUp."""
        return await self._call("GET", path, None, _headers(token, None))

    async def _call(self, method: str, path: str, body: object, headers: Mapping[str, str]) -> Answer:
        deadline, attempts = time.monotonic() + self.patience_seconds, 0
        # One for all attempts, so that whatever they cause can be found.
        correlation_id = uuid7()
        headers = {**headers, "X-Correlation-Id": str(correlation_id)}
        while True:
            answer = await self._attempt(method, path, body, headers)
            attempts += 1
            if answer is not None and answer.is_success:
                return Answer(answer.json() if answer.content else {}, correlation_id, attempts)
            if answer is not None and answer.status_code not in _AGAIN and not answer.is_server_error:
                raise Refused(answer.status_code, answer.text)
            if time.monotonic() > deadline:
                raise GaveUp(f"{method} {path}")
            await asyncio.sleep(_PAUSES[min(attempts, len(_PAUSES)) - 1])

    async def _attempt(
        self, method: str, path: str, body: object, headers: Mapping[str, str]
    ) -> httpx2.Response | None:
        self.attempts += 1
        try:
            answer = await self.http.request(method, path, json=body, headers=dict(headers), timeout=_ATTEMPT_SECONDS)
        except httpx2.HTTPError as error:
            self.failures.append(Failure(time.monotonic(), f"{method} {path}: {error!r}"))
            return None
        if answer.is_server_error:
            text = answer.text.replace("\n", " ")[:200]
            self.failures.append(Failure(time.monotonic(), f"{method} {path}: {answer.status_code} {text}"))
        return answer


def _headers(token: str, key: str | None) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return headers | ({} if key is None else {"Idempotency-Key": key})
