"""What do the guards alone cost? The two inserts of the bare route behind token, limits, ids and a tenant's transaction.

No check of buying power, no lock, no relay of its own: what `POST /v1/orders` could reach if orders were no work.
`python -m bench.peers.guarded_orders`, with servers, port and keys in the environment.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Depends, Request, Response

from bench.peers.bare_orders import OrderIn, OrderOut, insert
from fillstream.cli.shell import run
from fillstream.serve import bind, listening, stopping_on_signals
from libs.kit.db import Tx, database
from libs.kit.http.app import Db, RequestCause, http_app
from libs.kit.http.idempotency import IdempotencyKey, once
from libs.kit.http.routes import Router
from libs.kit.revocations import Revocations
from libs.kit.security import Caller, requires, token_verifier
from libs.kit.settings import Settings

router = Router()
Trader = Annotated[Caller, Depends(requires("orders:write"))]


@router.post("/v1/orders", status_code=201, response_model=OrderOut)
async def place(
    body: OrderIn,
    caller: Trader,
    db: Db,
    cause: RequestCause,
    request: Request,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Insert an order and its event."""

    async def work(tx: Tx) -> OrderOut:
        return await insert(tx.fetch, body, caller.tenant_id)

    return await once(db, caller, cause, request, idempotency_key, 201, work)


async def _serve() -> None:
    settings, stopped = Settings(), asyncio.Event()
    async with database(settings, "orders") as db, token_verifier(settings, Revocations()) as tokens:
        app = http_app("orders", settings, routers=[router], db=db, tokens=tokens, probes=())
        async with listening(app, bind("127.0.0.1", settings.http_port)), stopping_on_signals(stopped):
            await stopped.wait()


if __name__ == "__main__":
    run(_serve())
