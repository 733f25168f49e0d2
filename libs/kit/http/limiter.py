"""What counts a request? A limiter that knows the app's policies, the client's address, and whom to tell what is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from libs.kit.db import Database
from libs.kit.errors import RateLimited
from libs.kit.http.client_address import client_address, neighbourhood
from libs.kit.metrics import RATE_LIMITED
from libs.kit.rate_limits import RateLimit, Verdict, give_back, take

VERDICTS = "fillstream.rate_limits"
"""Where in the ASGI scope it stands what the answer tells."""


@dataclass(frozen=True, slots=True)
class Limiter:
    """Counts one request by the app's policies."""

    db: Database
    policies: Mapping[str, RateLimit]
    address: str
    """The client's, or its IPv6 neighbourhood."""
    verdicts: list[Verdict]
    """What the answer tells."""

    async def take(self, policy: str, subject: str) -> None:
        """Count the request for a subject, whatever becomes of it. Raises RateLimited when there were too many."""
        verdict = await take(self.db, self.policies[policy], subject)
        self.verdicts.append(verdict)
        if not verdict.allowed:
            RATE_LIMITED.labels(self.db.schema, policy).inc()
            raise RateLimited("too many requests of this kind", retry_after=verdict.retry_after)

    async def give_back(self, policy: str, subject: str) -> None:
        """Let the request be counted no more: it is none of those that the policy limits."""
        await give_back(self.db, self.policies[policy], subject)


async def limiter(request: Request) -> Limiter:
    """What a route counts with that knows its subject only from the body; for `Depends`."""
    state = request.app.state
    return Limiter(state.db, state.rate_limits, neighbourhood(client_address(request)), request.scope[VERDICTS])


HowLimited = Annotated[Limiter, Depends(limiter)]
