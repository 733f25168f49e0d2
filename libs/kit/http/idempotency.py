"""How is a repeated POST done once? Its key, request and answer are kept in the transaction of its effect."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Header, Request, Response
from pydantic import BaseModel

from libs.kit.db import Database, Tx
from libs.kit.errors import Invalid
from libs.kit.http.paths import path_of
from libs.kit.security import Caller
from libs.schema.event import Cause

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Repeating a request with the same key has one effect.",
        examples=["order-4711"],
    ),
]

REPLAYED = "Idempotency-Replayed"
"""The header of an answer that was kept."""


async def once(
    db: Database,
    caller: Caller,
    cause: Cause,
    request: Request,
    key: str | None,
    status: int,
    work: Callable[[Tx], Awaitable[BaseModel]],
) -> Response:
    """Do `work` in a transaction of the caller's workspace and answer `status`; with a known key, repeat the answer.

    Of several requests at once with one key, one does the work and the others wait for its answer. A request that was
    refused leaves no trace, so it may be tried again. Raises Invalid when the key came with another request before.
    """
    async with db.transaction(caller.tenant_id, cause) as tx:
        if key is None:
            return _json(status, (await work(tx)).model_dump_json().encode())
        digest = await _digest(request, caller)
        known = await _claim(tx, caller, key, digest)
        if known is not None:
            return known
        body = (await work(tx)).model_dump_json().encode()
        await tx.flush()
        await tx.fetch(
            "UPDATE idempotency_key SET status = $3, body = $4 WHERE tenant_id = $1 AND key = $2",
            caller.tenant_id,
            key,
            status,
            body,
        )
        return _json(status, body)


async def _digest(request: Request, caller: Caller) -> bytes:
    what = f"{caller.user_id} {request.method} {path_of(request.scope)}?{request.url.query}\n".encode()
    return hashlib.sha256(what + await request.body()).digest()


async def _claim(tx: Tx, caller: Caller, key: str, digest: bytes) -> Response | None:
    """Take the key, or give the answer that was given for it. Waits while another request holds it."""
    claimed = await tx.fetch(
        "INSERT INTO idempotency_key (tenant_id, key, request_hash) VALUES ($1, $2, $3) "
        "ON CONFLICT DO NOTHING RETURNING key",
        caller.tenant_id,
        key,
        digest,
    )
    if claimed:
        return None
    known = (
        await tx.fetch(
            "SELECT request_hash, status, body FROM idempotency_key WHERE tenant_id = $1 AND key = $2",
            caller.tenant_id,
            key,
        )
    )[0]
    if known["request_hash"] != digest:
        raise Invalid("Idempotency-Key", "was used for another request before", slug="idempotency-key-reused")
    answer = _json(known["status"], known["body"])
    answer.headers[REPLAYED] = "true"
    return answer


def _json(status: int, body: bytes) -> Response:
    return Response(body, status, media_type="application/json")
