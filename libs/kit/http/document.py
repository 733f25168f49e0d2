"""What does a service say of itself? FastAPI's OpenAPI document, made exact: problems, headers and parameters as served."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel

from libs.kit.http.decimals import models_in, tell_decimals
from libs.kit.http.idempotency import REPLAYED
from libs.kit.http.problems import MEDIA_TYPE, Problem
from libs.kit.http.rate_limits import HEADER, POLICY_HEADER, is_limited

Document = dict[str, Any]

_PROBLEMS: Mapping[int, str] = MappingProxyType(
    {
        400: "The body is not JSON, or nests too deep",
        401: "No valid access token",
        403: "A missing scope, or a limit of the plan",
        404: "Nothing of that id in this workspace",
        409: "At odds with what is there",
        413: "The body is too large",
        422: "A field makes no sense; `errors` names it",
        503: "A server behind this one is away; nothing was changed",
    }
)
_LIMITED = "429"
_A_PROBLEM: Document = {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}
_TOO_OFTEN = "Too many requests of this kind; `Retry-After` says when to come back"
_ESCAPED = "Percent-encoded, its slashes too (`%2F`)"
_HEADERS: Mapping[str, Document] = MappingProxyType(
    {
        "X-Correlation-Id": {
            "description": "The id of all that the request began, log lines and events: the request's own, or a new one.",
            "required": True,
            "schema": {"type": "string", "format": "uuid"},
        },
        "WWW-Authenticate": {
            "description": "How to log in.",
            "required": True,
            "schema": {"type": "string", "pattern": "^(Bearer|Basic)( |$)"},
        },
        "Retry-After": {
            "description": "Seconds after which to try again.",
            "required": True,
            "schema": {"type": "integer", "minimum": 0},
        },
        POLICY_HEADER: {
            "description": 'The limits that the request was counted by: `"login";q=120;w=60` is 120 a minute.',
            "schema": {"type": "string"},
        },
        HEADER: {
            "description": "What is left of each: `r` requests now, and all of them again in `t` seconds.",
            "schema": {"type": "string"},
        },
        REPLAYED: {
            "description": "The answer was given to an earlier request of this key, and is repeated.",
            "schema": {"const": "true"},
        },
    }
)
_OF_PROBLEM: Mapping[str, str] = MappingProxyType(
    {"401": "WWW-Authenticate", _LIMITED: "Retry-After", "503": "Retry-After"}
)
# Pydantic leaves the bounds of a decimal that travels as a string in its schema, where they mean nothing.
_MEANINGLESS = frozenset({"gt", "ge", "lt", "le", "max_digits", "decimal_places"})


class DocumentedApp(FastAPI):
    """An app whose document tells what is served."""

    def __init__(self, name: str, version: str, routers: Sequence[APIRouter]) -> None:
        super().__init__(
            title=name,
            version=version,
            responses={status: {"model": Problem, "description": text} for status, text in _PROBLEMS.items()},
            generate_unique_id_function=_operation_id,
            redoc_url=None,
            docs_url=None,
        )
        self._routers = routers
        for router in routers:
            self.include_router(router, tags=[name])

    def openapi(self) -> Document:
        """The document, made once."""
        if self.openapi_schema is None:
            document = super().openapi()
            document.setdefault("components", {})["headers"] = dict(_HEADERS)
            for operation in self._limited(document):
                operation["responses"][_LIMITED] = {"description": _TOO_OFTEN, "content": {MEDIA_TYPE: _A_PROBLEM}}
            for operation in _operations(document):
                _tell_parameters(operation)
                _tell_answers(operation)
            tell_decimals(document["components"].get("schemas", {}), self._taken())
            self.openapi_schema = _meaningful(document)
        return self.openapi_schema

    def _limited(self, document: Document) -> Iterator[Document]:
        """The operations that count how often they are asked for."""
        for route in self._own_routes():
            if is_limited(route.dependant):
                yield from (document["paths"][route.path_format][method.lower()] for method in route.methods or ())

    def _own_routes(self) -> list[APIRoute]:
        return [route for router in self._routers for route in router.routes if isinstance(route, APIRoute)]

    def _taken(self) -> frozenset[type[BaseModel]]:
        """The models that requests are made of."""
        fields = [route.body_field for route in self._own_routes()]
        bodies = [body.field_info.annotation for body in fields if body is not None]
        return frozenset(model for body in bodies for model in models_in(body))


def _operation_id(route: APIRoute) -> str:
    """`orders_place`: the first tag is the service, and its route's name is unique in it."""
    return "_".join([*map(str, route.tags[:1]), route.name])


def _operations(document: Document) -> Iterator[Document]:
    for path in document.get("paths", {}).values():
        yield from path.values()


def _tell_answers(operation: Document) -> None:
    repeatable = any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", []))
    for status, response in operation["responses"].items():
        headers = ["X-Correlation-Id"]
        headers += [POLICY_HEADER, HEADER] if _LIMITED in operation["responses"] else []
        if status == _LIMITED or int(status) in _PROBLEMS:
            # Under the media type of the route, where FastAPI puts it.
            [media] = response["content"].values()
            # A route whose errors follow a standard of its own tells both: what stands before it knows ours alone.
            own = {} if media == _A_PROBLEM else {"application/json": media}
            response["content"] = {MEDIA_TYPE: _A_PROBLEM, **own}
            headers += [_OF_PROBLEM[status]] if status in _OF_PROBLEM else []
        elif repeatable:
            headers.append(REPLAYED)
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}


def _tell_parameters(operation: Document) -> None:
    """A parameter is left out or has a value: there is no null in a URL or a header. A name in a path is escaped."""
    for parameter in operation.get("parameters", []):
        schema = parameter["schema"]
        if parameter["in"] == "path" and schema.get("type") == "string" and "format" not in schema:
            parameter.setdefault("description", _ESCAPED)
        some = [choice for choice in schema.get("anyOf", []) if choice != {"type": "null"}]
        if len(some) == 1:
            del schema["anyOf"]
            parameter["schema"] = some[0] | schema


def _meaningful(part: Any) -> Any:
    if isinstance(part, list):
        return [_meaningful(item) for item in part]
    if not isinstance(part, dict):
        return part
    if "anyOf" in part or part.get("type") == "string":
        part = {name: value for name, value in part.items() if name not in _MEANINGLESS}
    return {name: _meaningful(value) for name, value in part.items()}
