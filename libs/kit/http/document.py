"""What does a service say of itself? FastAPI's OpenAPI document, made exact: problems, headers and parameters as served."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from libs.kit.http.problems import MEDIA_TYPE, Problem

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
_CORRELATION: Document = {
    "X-Correlation-Id": {
        "description": "The id of all that the request began: of log lines and of events. Taken from the request's own.",
        "required": True,
        "schema": {"type": "string", "format": "uuid"},
    }
}
_OF_PROBLEM: Mapping[str, Document] = MappingProxyType(
    {
        "401": {
            "WWW-Authenticate": {"description": "How to log in", "required": True, "schema": {"const": "Bearer"}},
        },
        "503": {
            "Retry-After": {
                "description": "Seconds after which to try again",
                "required": True,
                "schema": {"type": "integer", "minimum": 0},
            },
        },
    }
)
# Pydantic leaves the bounds of a decimal that travels as a string in its schema, where they mean nothing.
_MEANINGLESS = frozenset({"gt", "ge", "lt", "le", "max_digits", "decimal_places"})


class DocumentedApp(FastAPI):
    """An app whose document tells what is served."""

    def __init__(self, name: str, version: str) -> None:
        super().__init__(
            title=name,
            version=version,
            responses={status: {"model": Problem, "description": text} for status, text in _PROBLEMS.items()},
            generate_unique_id_function=_operation_id,
            redoc_url=None,
            docs_url=None,
        )

    def openapi(self) -> Document:
        """The document, made once."""
        if self.openapi_schema is None:
            document = super().openapi()
            for operation in _operations(document):
                _tell_problems(operation)
                _tell_parameters(operation)
            self.openapi_schema = _meaningful(document)
        return self.openapi_schema


def _operation_id(route: APIRoute) -> str:
    """`orders_place`: the first tag is the service, and its route's name is unique in it."""
    return "_".join([*map(str, route.tags[:1]), route.name])


def _operations(document: Document) -> Iterator[Document]:
    for path in document.get("paths", {}).values():
        yield from path.values()


def _tell_problems(operation: Document) -> None:
    for status, response in operation["responses"].items():
        response["headers"] = _CORRELATION | response.get("headers", {})
        if int(status) in _PROBLEMS:
            schemas = [media["schema"] for media in response["content"].values() if "schema" in media]
            response["content"] = {MEDIA_TYPE: {"schema": schemas[0]}}
            response["headers"] |= _OF_PROBLEM.get(status, {})


def _tell_parameters(operation: Document) -> None:
    """A parameter is left out or has a value: there is no null in a URL or a header."""
    for parameter in operation.get("parameters", []):
        schema = parameter["schema"]
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
