"""How do clients behave while services die? They ask again, with the same key, until they are answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from fillstream.contexts import load_all
from fillstream.gateway import prefix_of, prefixes

_PATIENCE_SECONDS = 300.0
_AGAIN_SECONDS = 0.03


class Refused(Exception):
    """A service gave an answer that nothing in the scenario accounts for."""


class Doors:
    """Which service answers at which path, and where it listens."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        """`urls` by the names of contexts."""
        self.urls = urls
        self._by_prefix = {prefix: urls[context.name] for context in load_all() for prefix in prefixes(context)}

    def url(self, path: str) -> str:
        """The whole address of a path."""
        return self._by_prefix[prefix_of(path.partition("?")[0])] + path


@dataclass(frozen=True)
class Client:
    """A person's program."""

    http: httpx2.AsyncClient
    doors: Doors

    async def get(self, path: str, token: str) -> dict[str, Any]:
        """What is there. Raises Refused."""
        return _body(await self._ask("GET", path, _bearer(token), None), taken_is_done=False)

    async def post(self, path: str, token: str, body: object = None, key: str | None = None) -> dict[str, Any]:
        """Do something once. Raises Refused."""
        headers = _bearer(token) | ({} if key is None else {"Idempotency-Key": key})
        return _body(await self._ask("POST", path, headers, body), taken_is_done=False)

    async def patch(self, path: str, token: str, body: object) -> dict[str, Any]:
        """Let a thing be as said, however often it is said. Raises Refused."""
        return _body(await self._ask("PATCH", path, _bearer(token), body), taken_is_done=False)

    async def make(self, path: str, token: str, body: object) -> None:
        """Make a thing with a name of its own: that it is there already is the answer to a lost answer.

        Raises Refused.
        """
        _body(await self._ask("POST", path, _bearer(token), body), taken_is_done=True)

    async def download(self, path: str, token: str) -> bytes:
        """A file that is there. Raises Refused."""
        answer = await self._ask("GET", path, _bearer(token), None)
        _refuse(answer)
        return answer.content

    async def _ask(self, method: str, path: str, headers: dict[str, str], body: object) -> httpx2.Response:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            answer = await self._try(method, path, headers, body)
            if answer is not None and not _is_worth_another_try(answer):
                return answer
            if time.monotonic() > deadline:
                raise Refused(
                    f"{method} {path} was not answered for {_PATIENCE_SECONDS:.0f} s: {answer and answer.text}"
                )
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _try(self, method: str, path: str, headers: dict[str, str], body: object) -> httpx2.Response | None:
        try:
            return await self.http.request(method, self.doors.url(path), headers=headers, json=body)
        except httpx2.HTTPError:
            return None


def _is_worth_another_try(answer: httpx2.Response) -> bool:
    return answer.status_code == httpx2.codes.SERVICE_UNAVAILABLE or (
        answer.is_error and "Retry-After" in answer.headers
    )


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def _body(answer: httpx2.Response, *, taken_is_done: bool) -> dict[str, Any]:
    if taken_is_done and answer.status_code == httpx2.codes.CONFLICT:
        return {}
    _refuse(answer)
    document: dict[str, Any] = answer.json() if answer.content else {}
    return document


def _refuse(answer: httpx2.Response) -> None:
    if answer.is_error:
        raise Refused(f"{answer.request.method} {answer.request.url.path} answered {answer.status_code}: {answer.text}")
