"""Any event of the catalogue, for properties: built from the classes' own fields."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo

from libs.schema.audit import ActName, TargetKind, Words
from libs.schema.catalogue import EVENTS
from libs.schema.event import DomainEvent
from libs.schema.values import Confidence, Currency, Keyword, Price, Quantity, Symbol

Model = TypeVar("Model", bound=BaseModel)

_POSITIVE = st.decimals("0.00000001", "999999999999", places=8)
# Of the annotated types, those that take less than their plain type does.
_NARROW: Mapping[object, st.SearchStrategy[object]] = MappingProxyType(
    {
        Price: _POSITIVE,
        Quantity: _POSITIVE,
        Confidence: st.decimals(0, 1, places=4),
        Currency: st.from_regex(r"\A[A-Z]{3,5}\Z"),
        Keyword: st.from_regex(r"\A[A-Z][A-Z0-9_]{0,49}\Z"),
        ActName: st.from_regex(r"\A[a-z][a-z0-9_]{0,20}(\.[a-z][a-z0-9_]{0,20}){1,3}\Z"),
        TargetKind: st.from_regex(r"\A[a-z][a-z0-9_]{0,40}\Z"),
        Words: st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=300),
        Symbol: st.from_regex(r"\A[A-Z0-9^][A-Z0-9./^=_&-]{0,31}\Z"),
    }
)
_MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 zones follow
_PLAIN: Mapping[object, st.SearchStrategy[object]] = MappingProxyType(
    {
        UUID: st.uuids(),
        str: st.text(),
        int: st.integers(),
        bool: st.booleans(),
        Decimal: st.decimals(0, "999999999999", places=8),
        date: st.dates(),
        AwareDatetime: _MOMENTS,
    }
)


_CONTAINERS: Mapping[object, Callable[[list[st.SearchStrategy[Any]]], st.SearchStrategy[Any]]] = MappingProxyType(
    {
        tuple: lambda parts: st.lists(parts[0], max_size=3).map(tuple),
        dict: lambda parts: st.dictionaries(parts[0], parts[1], max_size=3),
    }
)


def _values(annotation: Any) -> st.SearchStrategy[Any]:
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return st.sampled_from(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _model(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return st.one_of([st.none() if part is type(None) else _values(part) for part in arguments])
    if origin in _CONTAINERS:
        return _CONTAINERS[origin]([_values(part) for part in arguments if part is not ...])
    if origin is not None and arguments:  # Annotated
        return _NARROW.get(annotation, _values(arguments[0]))
    raise NotImplementedError(annotation)


def _field(hint: Any, field: FieldInfo) -> st.SearchStrategy[Any]:
    return (
        _values(hint) if field.is_required() else st.just(field.get_default(call_default_factory=True)) | _values(hint)
    )


def any_event(kind: type[DomainEvent] | None = None) -> st.SearchStrategy[DomainEvent]:
    """Events of one kind, or of all."""
    if kind is None:
        return st.one_of([any_event(each) for each in EVENTS])
    return _model(kind)


def _model(kind: type[Model]) -> st.SearchStrategy[Model]:
    hints = get_type_hints(kind, include_extras=True)
    return st.builds(kind, **{name: _field(hints[name], field) for name, field in kind.model_fields.items()})
