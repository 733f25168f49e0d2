"""What does an app serve? Read from the route objects that it answers with, whatever its document says."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute


def served(routes: Iterable[BaseRoute]) -> set[str]:
    """Every method of every route, as `GET /v1/orders`; what has no methods goes by its kind, as `Mount /files`."""
    found: set[str] = set()
    for context in iter_route_contexts(list(routes)):
        if context.path is None or not context.methods:
            found.add(f"{type(context.original_route).__name__} {getattr(context.original_route, 'path', '?')}")
            continue
        # HEAD is what a GET answers, without the body.
        methods = set(context.methods) - ({"HEAD"} if "GET" in context.methods else set())
        found |= {f"{method} {context.path}" for method in methods}
    return found


def method_of(route: str) -> str:
    """`GET` of `GET /v1/orders`."""
    return route.partition(" ")[0]


def path_of(route: str) -> str:
    """`/v1/orders` of `GET /v1/orders`."""
    return route.partition(" ")[2]
