"""In which order is a request looked at? Who asks, which parameters there are, how large the body is, and only then what is in it.

A service's routes are those of a `Router`:

    router = Router()

    @router.post("/v1/bars", dependencies=[LARGE_BODY])
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from libs.kit.errors import FieldError, Invalid, TooLarge
from libs.kit.http.paths import leads_upwards, name_of, path_of
from libs.kit.http.strict_json import Limits, parse
from libs.kit.security import authenticate, authenticated
from libs.kit.settings import Settings

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_JSON = re.compile(r"application/(json|[^;\s]+\+json)\s*(;|$)", re.IGNORECASE)
# As small as a value with its name may be.
_BYTES_OF_A_CONTAINER = 64


async def _takes_a_large_body() -> None:
    """Marks a route."""


LARGE_BODY = Depends(_takes_a_large_body)
"""For routes that import, which take as much as `http_max_import_bytes`; they must want a token."""


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How much a body may hold, on usual routes and on those that import."""

    usual: Limits
    large: Limits

    @classmethod
    def of(cls, settings: Settings) -> BodyLimits:
        """What an installation is set to."""
        sizes = settings.http_max_body_bytes, settings.http_max_import_bytes
        return cls(*(Limits(size, settings.http_max_depth, size // _BYTES_OF_A_CONTAINER) for size in sizes))


class Route(APIRoute):
    """A route that costs nothing until it is known who asks, and reads no more than it takes."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is this route's. A slash that is escaped divides nothing, and is part of a parameter."""
        if b"%" not in scope["raw_path"]:
            return super().matches(scope)
        path = path_of(scope)
        if leads_upwards(path):
            return Match.NONE, {}
        match, found = super().matches({**scope, "path": path})
        if match is not Match.NONE:
            found["path_params"] = {name: name_of(value) for name, value in found["path_params"].items()}
        return match, found

    def get_route_handler(self) -> Handler:
        """FastAPI's handler, behind all that is asked first. Raises ValueError for a large body that strangers may send."""
        handle = super().get_route_handler()
        wants_token = _depends_on(self.dependant, authenticated)
        is_large = _depends_on(self.dependant, _takes_a_large_body)
        parameters = frozenset(_parameters(self.dependant))
        if is_large and not wants_token:
            raise ValueError(f"{self.path} takes large bodies from anybody")

        async def handler(request: Request) -> Response:
            if wants_token:
                await authenticate(request)
            _refuse_unknown(request, parameters)
            if self.body_field is not None:
                limits = limits_of(request)
                await read_body(request, limits.large if is_large else limits.usual)
            return await handle(request)

        return handler


class Router(APIRouter):
    """What a service's routes are entered in."""

    def __init__(self, route_class: type[Route] = Route) -> None:
        super().__init__(route_class=route_class)


def limits_of(request: Request) -> BodyLimits:
    """How much bodies may hold in this app."""
    limits: BodyLimits = request.app.state.body_limits
    return limits


async def read_body(request: Request, limits: Limits) -> None:
    """Read the body, and parse it if it is JSON, so that whoever asks the request for either has it.

    Raises TooLarge, MalformedJson, Invalid for the character NUL, and ClientDisconnect.
    """
    body = await _read(request, limits.bytes)
    # Where Starlette keeps them for `body()` and `json()`: nothing behind this parses once more.
    request._body = body  # noqa: SLF001
    if body and _JSON.match(request.headers.get("content-type", "")):
        request._json = parse(body, limits)  # noqa: SLF001


async def _read(request: Request, most: int) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdecimal() and int(announced) > most:
        raise _too_large(most)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise _too_large(most)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"the body is larger than {most} bytes")


def _refuse_unknown(request: Request, known: frozenset[str]) -> None:
    """Raise Invalid for a parameter that the route does not know, or that is there twice: it was meant to say something."""
    seen: set[str] = set()
    errors: list[FieldError] = []
    for name, _ in request.query_params.multi_items():
        if name not in known:
            errors.append(FieldError(name, "this route has no such parameter"))
        elif name in seen:
            errors.append(FieldError(name, "is there twice"))
        seen.add(name)
    if errors:
        raise UnknownParameters(errors)


class UnknownParameters(Invalid):
    """Parameters of the address that make no sense; each is named."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__(errors[0].pointer, errors[0].message)
        self.errors = tuple(errors)


def _depends_on(dependant: Dependant, what: Callable[..., Any]) -> bool:
    return dependant.call is what or any(_depends_on(part, what) for part in dependant.dependencies)


def _parameters(dependant: Dependant) -> Iterator[str]:
    for parameter in dependant.query_params:
        yield parameter.alias
    for part in dependant.dependencies:
        yield from _parameters(part)
