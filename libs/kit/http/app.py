"""How is a service's HTTP side built? One factory, the same for all: limits, ids, problems, health, metrics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from sqlalchemy import text

from libs.kit.db import Database
from libs.kit.health import Probe, ProbeFailed
from libs.kit.http.document import DocumentedApp
from libs.kit.http.observe import Observe, current_cause
from libs.kit.http.problems import install_problems
from libs.kit.http.programs import program_limit
from libs.kit.http.rate_limits import TellRateLimits, by_name
from libs.kit.http.routes import BodyLimits
from libs.kit.outages import DatabaseAway
from libs.kit.rate_limits import RateLimit
from libs.kit.security import TokenVerifier
from libs.kit.settings import Settings
from libs.schema.event import Cause

API_VERSION = "1"


async def _database(request: Request) -> Database:
    db: Database = request.app.state.db
    return db


Db = Annotated[Database, Depends(_database)]
"""The context's database, in a route."""
RequestCause = Annotated[Cause, Depends(current_cause)]
"""The chain of events that the request begins, in a route."""


class Health(BaseModel):
    """Whether a process is well; `failures` says what is not, by part."""

    status: str
    failures: dict[str, str] = {}


def http_app(
    name: str,
    settings: Settings,
    *,
    routers: Iterable[APIRouter],
    db: Database,
    tokens: TokenVerifier,
    probes: Sequence[Probe],
    limits: Sequence[RateLimit] = (),
) -> FastAPI:
    """A service's app, ready to serve. `limits` are the policies that its routes name, beside the one of programs."""
    app = bare_app(name, routers)
    app.state.db = db
    app.state.token_verifier = tokens
    app.state.rate_limits = by_name([*limits, program_limit(settings)])
    app.state.trusted_proxies = settings.trusted_proxies
    app.state.body_limits = BodyLimits.of(settings)
    app.include_router(operations([db], probes))
    app.add_middleware(TellRateLimits)
    if settings.http_cors_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=settings.http_cors_origins, allow_methods=["*"], allow_headers=["*"]
        )
    app.add_middleware(Observe, context=name)
    return app


def bare_app(name: str, routers: Iterable[APIRouter]) -> FastAPI:
    """The routes alone, without anything behind them: enough for the OpenAPI document."""
    app = DocumentedApp(name, API_VERSION, list(routers))
    install_problems(app)
    return app


def operations(databases: Sequence[Database], probes: Sequence[Probe]) -> APIRouter:
    """`/healthz`, `/readyz` and `/metrics` of a process with these databases and parts."""
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    async def healthz() -> Health:
        """The process lives."""
        return Health(status="ok")

    @router.get("/readyz")
    async def readyz(response: Response) -> Health:
        """The process can do its work now."""
        checks = [*probes, *(_database_probe(db) for db in databases)]
        failures = {probe.name: failure for probe in checks if (failure := await probe.failure()) is not None}
        response.status_code = 503 if failures else 200
        return Health(status="failing" if failures else "ok", failures=failures)

    @router.get("/metrics")
    async def metrics() -> Response:
        """Prometheus' text format."""
        for db in databases:
            db.observe_pools()
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router


def _database_probe(db: Database) -> Probe:
    return Probe("database", lambda: _check_database(db))


async def _check_database(db: Database) -> None:
    try:
        async with db.work() as tx:
            await tx.execute(text("SELECT 1"))
    except DatabaseAway as error:
        msg = "the database does not answer"
        raise ProbeFailed(msg) from error
