"""How are requests limited? Routes name policies; every answer tells what is left of them, and 429 when to come back.

The fields are those of draft-ietf-httpapi-ratelimit-headers: lists of all policies that the request was counted by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import Depends
from fastapi.dependencies.models import Dependant
from fastapi.params import Depends as Dependency
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.kit.http.limiter import VERDICTS, HowLimited, limiter
from libs.kit.rate_limits import RateLimit, Verdict
from libs.kit.security import Caller, authenticated

POLICY_HEADER = "RateLimit-Policy"
HEADER = "RateLimit"


def per_address(policy: str) -> Dependency:
    """Limit a route by the client's address: `dependencies=[per_address("login")]`. Counts before the body is checked."""

    async def count(counting: HowLimited) -> None:
        await counting.take(policy, counting.address)

    return Dependency(count)


def per_user(policy: str) -> Dependency:
    """Limit a route by whom its token speaks for."""

    async def count(counting: HowLimited, caller: Annotated[Caller, Depends(authenticated)]) -> None:
        await counting.take(policy, str(caller.user_id))

    return Dependency(count)


def is_limited(dependant: Dependant) -> bool:
    """Whether a route counts, by itself or by what it depends on: programs are counted wherever they show a token."""
    return dependant.call in {limiter, authenticated} or any(is_limited(part) for part in dependant.dependencies)


class TellRateLimits:
    """ASGI middleware: the answer to a request that was counted says by what, and what is left."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wrap one request."""
        verdicts: list[Verdict] = []

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and verdicts:
                headers = MutableHeaders(scope=message)
                headers[POLICY_HEADER] = ", ".join(_policy(verdict.limit) for verdict in verdicts)
                headers[HEADER] = ", ".join(_state(verdict) for verdict in verdicts)
            await send(message)

        scope[VERDICTS] = verdicts
        await self.app(scope, receive, answer)


def by_name(policies: Sequence[RateLimit]) -> Mapping[str, RateLimit]:
    """Policies as routes find them. Raises ValueError when two have one name."""
    named = {policy.name: policy for policy in policies}
    if len(named) < len(policies):
        raise ValueError(f"two rate limits have one name: {[policy.name for policy in policies]}")
    return named


def _policy(limit: RateLimit) -> str:
    return f'"{limit.name}";q={limit.quota};w={max(int(limit.window.total_seconds()), 1)}'


def _state(verdict: Verdict) -> str:
    return f'"{verdict.limit.name}";r={verdict.remaining};t={verdict.full_in}'
