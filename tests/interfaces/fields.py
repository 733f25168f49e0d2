"""Which fields might a caller try to set? All that a context shows or keeps, with values that would do harm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from fillstream.contexts import Context
from libs.kit.http.app import bare_app

Json = dict[str, Any]

STRANGER = "0198dead-0000-7000-8000-00000000beef"
"""An id that is nobody's; where it is kept, somebody has taken it from a request."""
_LONG_AGO = "2001-01-01T00:00:00Z"
_BY_FORMAT = {"uuid": STRANGER, "date-time": _LONG_AGO}
_BY_TYPE = {"string": "1", "boolean": True, "integer": 1, "number": 1, "array": [], "object": {}}
_BY_PYTHON = {UUID: STRANGER, str: "1", int: 1, bool: True, datetime: _LONG_AGO, Decimal: "1", dict: {}, list: []}
_TEMPTING: Json = {
    "id": STRANGER, "tenant_id": STRANGER, "workspace_id": STRANGER, "user_id": STRANGER, "owner_id": STRANGER,
    "version": 99, "state": "CLOSED", "status": "FILLED", "role": "ADMIN", "platform_role": "ADMIN",
    "scope": "marketdata:write", "scopes": ["marketdata:write"], "is_active": True, "email_verified": True,
    "created_at": _LONG_AGO, "updated_at": _LONG_AGO, "filled_quantity": "1", "cumulative_quantity": "1",
    "reserved": "0", "cash": "1000000", "balance": "1000000", "__proto__": {}, "__class__": "User",
}  # fmt: skip


def document_of(context: Context) -> Json:
    """What the context serves, in its own words."""
    document: Json = bare_app(context.name, [context.router]).openapi()
    return document


def tempting_fields(context: Context) -> Json:
    """Every field of every answer and every column of every table of a context, each with a plausible value."""
    return {**_columns(context), **_shown(document_of(context)), **_TEMPTING}


def _columns(context: Context) -> Json:
    columns = [column for table in context.metadata.tables.values() for column in table.columns]
    return {column.name: _BY_PYTHON.get(_python_type(column.type), "1") for column in columns}


def _python_type(kind: Any) -> type[object]:
    try:
        python: type[object] = kind.python_type
    except NotImplementedError:
        return str
    return python


def _shown(document: Json) -> Json:
    """The fields of all that successful answers hold, however deep."""
    found: Json = {}
    waiting = [
        content["schema"]
        for methods in document["paths"].values()
        for operation in methods.values()
        for status, response in operation["responses"].items()
        if status.startswith("2")
        for content in response.get("content", {}).values()
        if "schema" in content
    ]
    seen = []
    while waiting:
        schema = waiting.pop()
        if schema in seen:
            continue
        seen.append(schema)
        properties = resolved(document, schema).get("properties", {})
        found |= {name: plausible(document, inner) for name, inner in properties.items()}
        waiting += [inner for part in _parts(resolved(document, schema)) for inner in (part,)]
    return found


def _parts(schema: Json) -> Iterator[Json]:
    """The schemas inside of a schema."""
    yield from schema.get("properties", {}).values()
    yield from _alternatives(schema)
    for name in ("items", "additionalProperties", "contentSchema"):
        if isinstance(schema.get(name), dict):
            yield schema[name]


def _alternatives(schema: Json) -> list[Json]:
    return [option for name in ("anyOf", "oneOf", "allOf") for option in schema.get(name, ())]


def resolved(document: Json, schema: Json) -> Json:
    """The schema that a reference names, or the schema itself."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def plausible(document: Json, schema: Json) -> Any:
    """A value that a schema allows, as far as its type goes."""
    schema = resolved(document, schema)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    for option in _alternatives(schema):
        if option.get("type") != "null":
            return plausible(document, option)
    return deepcopy(_BY_FORMAT.get(schema.get("format", ""), _BY_TYPE.get(schema.get("type", ""), "1")))


@dataclass(frozen=True, slots=True)
class Place:
    """An object inside of a valid body, and the fields that it may have."""

    pointer: str
    declared: frozenset[str]

    def planted(self, body: Json, name: str, value: object) -> Json:
        """The body with one field more in this place."""
        changed: Any = deepcopy(body)
        inner = changed
        for step in self.pointer.split("/")[1:]:
            inner = inner[int(step) if isinstance(inner, list) else step]
        inner[name] = value
        assert isinstance(changed, dict)
        return changed


def places(document: Json, schema: Json, value: object, pointer: str = "") -> Iterator[Place]:
    """Every object in a valid body, the body itself first."""
    schema = resolved(document, schema)
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(document, schema["items"], item, f"{pointer}/{index}")
    if not isinstance(value, dict):
        return
    if schema.get("additionalProperties") is True:
        # It says that it takes more than it looks at: what browsers send of a passkey.
        return
    fitting = [option for option in _options(document, schema) if _fits(document, option, value)]
    properties: Mapping[str, Json] = {name: inner for one in fitting for name, inner in one["properties"].items()}
    yield Place(pointer, frozenset(properties))
    for name, inner in value.items():
        yield from places(document, properties[name], inner, f"{pointer}/{name}")


def _options(document: Json, schema: Json) -> list[Json]:
    return [resolved(document, option) for option in _alternatives(schema)] or [schema]


def _fits(document: Json, schema: Json, value: Json) -> bool:
    properties = schema.get("properties", {})
    fixed = {name: inner["const"] for name, inner in properties.items() if "const" in resolved(document, inner)}
    return set(value) <= set(properties) and all(value.get(name, fixed[name]) == fixed[name] for name in fixed)
