"""What does a request cost that asks for nothing? Routes of the kit's app that answer 204: to callers, or to anybody.

`python -m bench.peers.noop`, with servers, port and keys in the environment.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from fillstream.cli.shell import run
from fillstream.serve import bind, listening, stopping_on_signals
from libs.kit.db import database
from libs.kit.http.app import http_app
from libs.kit.revocations import Revocations
from libs.kit.security import Caller, authenticated, token_verifier
from libs.kit.settings import Settings

router = APIRouter()


async def believed(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]
) -> HTTPAuthorizationCredentials | None:
    """What `authenticated` asks the framework for, and nothing done with it."""
    del request
    return credentials


@router.get("/v1/believed", status_code=204)
async def whoever(_credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(believed)]) -> Response:
    """Nothing, for whoever says anything."""
    return Response(status_code=204)


@router.get("/v1/open", status_code=204)
async def anybody() -> Response:
    """Nothing, for anybody."""
    return Response(status_code=204)


@router.get("/v1/checked", status_code=204)
async def somebody(_caller: Annotated[Caller, Depends(authenticated)]) -> Response:
    """Nothing, for callers alone."""
    return Response(status_code=204)


async def _serve() -> None:
    settings, stopped = Settings(), asyncio.Event()
    async with database(settings, "orders") as db, token_verifier(settings, Revocations()) as tokens:
        app = http_app("orders", settings, routers=[router], db=db, tokens=tokens, probes=())
        async with listening(app, bind("127.0.0.1", settings.http_port)), stopping_on_signals(stopped):
            await stopped.wait()


if __name__ == "__main__":
    run(_serve())
