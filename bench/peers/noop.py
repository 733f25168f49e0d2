"""What does a request cost that asks for nothing? The kit's app with one route that answers 204: to callers, or to anybody.

Each route has an app of its own: in one for all, the last would pay for the matching of those before it.

`python -m bench.peers.noop`, with servers, port and keys in the environment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.types import ASGIApp, Receive, Scope, Send

from fillstream.cli.shell import run
from fillstream.serve import bind, listening, stopping_on_signals
from libs.kit.db import database
from libs.kit.http.app import http_app
from libs.kit.revocations import Revocations
from libs.kit.security import Caller, authenticated, token_verifier
from libs.kit.settings import Settings

for_callers, for_whoever, for_anybody = APIRouter(), APIRouter(), APIRouter()


async def believed(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]
) -> HTTPAuthorizationCredentials | None:
    """What `authenticated` asks the framework for, and nothing done with it."""
    del request
    return credentials


@for_whoever.get("/v1/believed", status_code=204)
async def whoever(_credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(believed)]) -> Response:
    """Nothing, for whoever says anything."""
    return Response(status_code=204)


@for_anybody.get("/v1/open", status_code=204)
async def anybody() -> Response:
    """Nothing, for anybody."""
    return Response(status_code=204)


@for_callers.get("/v1/checked", status_code=204)
async def somebody(_caller: Annotated[Caller, Depends(authenticated)]) -> Response:
    """Nothing, for callers alone."""
    return Response(status_code=204)


@dataclass(frozen=True)
class _ByPath:
    """ASGI: whose app a request is for; the probes may be anybody's."""

    apps: Mapping[str, ASGIApp]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand one request on."""
        app = self.apps.get(scope["path"]) or self.apps["/v1/open"]
        await app(scope, receive, send)


async def _serve() -> None:
    settings, stopped = Settings(), asyncio.Event()
    async with database(settings, "orders") as db, token_verifier(settings, Revocations()) as tokens:

        def app(router: APIRouter) -> FastAPI:
            return http_app("orders", settings, routers=[router], db=db, tokens=tokens, probes=())

        routers = {"/v1/checked": for_callers, "/v1/believed": for_whoever, "/v1/open": for_anybody}
        apps = _ByPath({path: app(router) for path, router in routers.items()})
        async with listening(apps, bind("127.0.0.1", settings.http_port)), stopping_on_signals(stopped):
            await stopped.wait()


if __name__ == "__main__":
    run(_serve())
