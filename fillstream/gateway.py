"""How do all services answer at one address? By the first two segments of the path, as the real gateway does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from fillstream.contexts import Context
from fillstream.documentation import documentation
from fillstream.openapi import merged_document
from libs.kit.db import Database
from libs.kit.health import Probe
from libs.kit.http.app import operations
from libs.kit.http.paths import leads_upwards, path_of
from libs.kit.http.problems import install_problems, problem_response


def prefix_of(path: str) -> str:
    """What a path is routed by: `/v1/orders` of `/v1/orders/{order_id}/cancel`."""
    return "/" + "/".join(path.split("/")[1:3])


def prefixes(context: Context) -> list[str]:
    """The path prefixes that a context serves."""
    return sorted({prefix_of(route.path) for route in context.router.routes if hasattr(route, "path")})


class Gateway:
    """ASGI app that hands each request to the service that owns its path."""

    def __init__(self, backends: Mapping[str, ASGIApp], own: ASGIApp) -> None:
        self._backends = backends
        self._own = own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Route one request; what belongs to no service is answered by the gateway itself."""
        if scope["type"] != "http":
            return
        path = path_of(scope)
        app = self._own if leads_upwards(path) else self._backends.get(prefix_of(path), self._own)
        await app(scope, receive, send)


def gateway(
    contexts: Sequence[Context],
    backends: Mapping[str, ASGIApp],
    databases: Sequence[Database],
    probes: Sequence[Probe],
) -> Gateway:
    """The gateway over the contexts' backends, by name; it is as ready as these databases and probes are."""
    routes = {prefix: backends[context.name] for context in contexts for prefix in prefixes(context)}
    return Gateway(routes, _own_app(contexts, operations(databases, probes)))


def _own_app(contexts: Sequence[Context], health: APIRouter) -> FastAPI:
    document = merged_document(contexts)
    router = APIRouter(include_in_schema=False)

    @router.get("/openapi.json")
    async def openapi() -> dict[str, object]:
        """Every service's routes in one document."""
        return document

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(router)
    app.include_router(documentation())
    app.include_router(health)
    install_problems(app)

    @app.exception_handler(404)
    async def unknown(*_: object) -> ASGIApp:
        return problem_response(404, "not-found", "no service has this path")

    return app
