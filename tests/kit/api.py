"""The probe context over HTTP: routes that count, list, refuse and break, in the house's app."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Annotated, Self
from uuid import UUID

import asyncpg
from fastapi import Depends, FastAPI, Request, Response
from httpx2 import ASGITransport, AsyncClient
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select, text, tuple_

from libs.kit.db import Database, Tx, database
from libs.kit.errors import Conflict, Forbidden, Invalid, NotFound, RateLimited, Rejected, TooLarge, Unauthenticated
from libs.kit.http.app import Db, RequestCause, http_app
from libs.kit.http.client_address import client_address
from libs.kit.http.idempotency import IdempotencyKey, once
from libs.kit.http.limiter import HowLimited
from libs.kit.http.pagination import Page, PageRequest, Position, page, page_request
from libs.kit.http.rate_limits import per_address, per_user
from libs.kit.http.routes import LARGE_BODY, Router
from libs.kit.rate_limits import RateLimit
from libs.kit.revocations import Revocations
from libs.kit.security import Caller, KeysUnavailable, StepUpRequired, requires, token_verifier
from libs.kit.settings import Settings
from libs.schema.values import Price, UtcDatetime
from tests.issuer import Issuer
from tests.kit.probe import Counter, count_up

router = Router()

Reader = Annotated[Caller, Depends(requires("orders:read"))]
Writer = Annotated[Caller, Depends(requires("orders:write"))]

REJECTIONS: Mapping[str, Rejected] = MappingProxyType(
    {
        "invalid": Invalid("/name", "is odd"),
        "unauthenticated": Unauthenticated("nobody we know"),
        "step-up-required": StepUpRequired("once more"),
        "forbidden": Forbidden("the plan Free allows 1 strategy", slug="too-many-strategies"),
        "not-found": NotFound("counter", "x"),
        "conflict": Conflict("it is there already"),
        "too-large": TooLarge("too many"),
        "rate-limited": RateLimited("not so often", retry_after=7),
        "keys-unavailable": KeysUnavailable("not now", retry_after=1),
        "rejected": Rejected("no"),
    }
)


class Count(BaseModel):
    """What to count."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=200)]
    price: Price | None = None
    at: UtcDatetime | None = None
    weight: float | None = None
    fail: bool = False


class CounterOut(BaseModel):
    """A counter."""

    id: UUID
    name: str
    value: int

    @classmethod
    def of(cls, counter: Counter) -> Self:
        return cls(id=counter.id, name=counter.name, value=counter.value)


@router.post("/v1/counters", status_code=201, response_model=CounterOut)
async def count(
    body: Count,
    caller: Writer,
    db: Db,
    cause: RequestCause,
    request: Request,
    idempotency_key: IdempotencyKey = None,
    source: str | None = None,
) -> Response:
    async def work(tx: Tx) -> CounterOut:
        counter = await count_up(tx, caller.tenant_id, body.name)
        if body.fail:
            raise Conflict("it was to fail")
        return CounterOut.of(counter)

    return await once(db, caller, cause, request, idempotency_key, 201, work)


@router.post("/v1/imports", dependencies=[LARGE_BODY])
async def import_(_body: Count, _caller: Writer) -> None: ...


@router.get("/v1/counters")
async def counters(caller: Reader, db: Db, wanted: Annotated[PageRequest, Depends(page_request)]) -> Page[CounterOut]:
    statement = select(Counter).order_by(Counter.created_at, Counter.id).limit(wanted.limit + 1)
    if wanted.after is not None:
        statement = statement.where(tuple_(Counter.created_at, Counter.id) > (wanted.after.at, wanted.after.id))
    async with db.transaction(caller.tenant_id) as tx:
        return page(await tx.scalars(statement), wanted, CounterOut.of, lambda row: Position(row.created_at, row.id))


@router.get("/v1/rejections/{kind}")
async def reject(kind: str) -> None:
    raise REJECTIONS[kind]


@router.post("/v1/knocks", dependencies=[per_address("knock")])
async def knock(body: Count, limited: HowLimited, request: Request) -> str:
    """Answers with where it comes from; limited by that, and by the name that is called."""
    await limited.take("knock-name", body.name)
    if body.fail:
        raise Conflict("it was to fail")
    return client_address(request)


@router.get("/v1/turns", dependencies=[per_user("turn")])
async def turn() -> None: ...


@router.get("/v1/moments")
async def moment(at: UtcDatetime) -> UtcDatetime:
    return at


@router.get("/v1/crash")
async def crash(db: Db) -> None:
    async with db.public() as tx:
        await tx.execute(text("SELECT 'secret' / 0"))


MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LIMITS = (RateLimit("knock", 5, HOUR), RateLimit("knock-name", 3, MINUTE), RateLimit("turn", 2, HOUR))


@dataclass(frozen=True)
class Api:
    """The app, and who calls it."""

    http: FastAPI
    issuer: Issuer
    db: Database
    url: str

    @asynccontextmanager
    async def client(self, token: str | None = None, address: str = "127.0.0.1") -> AsyncIterator[AsyncClient]:
        """A client with a token, or without one."""
        transport = ASGITransport(self.http, raise_app_exceptions=True, client=(address, 123))
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with AsyncClient(transport=transport, base_url="http://probe", headers=headers, timeout=30) as client:
            yield client

    async def fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetch(sql, *arguments)
        finally:
            await connection.close()


@asynccontextmanager
async def running_api(settings: Settings, issuer: Issuer) -> AsyncIterator[Api]:
    """The app over its database, without anything that consumes or publishes."""
    async with database(settings, "probe") as db, token_verifier(settings, Revocations()) as tokens:
        http = http_app("probe", settings, routers=[router], db=db, tokens=tokens, probes=(), limits=LIMITS)
        yield Api(http, issuer, db, settings.database_url.get_secret_value())
