"""How does a document say which decimals are taken? By a pattern made of the type's bounds, which pydantic leaves out."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo

Schema = dict[str, Any]

_UNBOUNDED_DIGITS = 28


@dataclass(frozen=True)
class Limits:
    """What a decimal type asks of its values; None where it asks nothing."""

    gt: Decimal | None = None
    ge: Decimal | None = None
    lt: Decimal | None = None
    le: Decimal | None = None
    max_digits: int | None = None
    decimal_places: int | None = None

    def schema(self) -> list[Schema]:
        """The ways to write one in JSON: as a text, or bare when it is whole."""
        return [{"type": "string", "pattern": self._pattern()}, {"type": "integer"} | self._bounds()]

    def _pattern(self) -> str:
        whole, places = self._whole_digits(), self.decimal_places or 0
        return rf"^{self._beginning()}{_digits(whole)}(\.{_digits(places)})?$"

    def _beginning(self) -> str:
        if self.gt == 0:
            return "(?=.*[1-9])"
        if self.ge == 1:
            return "(?=[1-9])"
        return "" if self.ge == 0 else "-?"

    def _whole_digits(self) -> int:
        """How many digits stand before the point at most. Exact for a greatest value that is a power of ten."""
        greatest = self.lt if self.le is None else self.le
        if greatest is not None:
            return len(str(int(greatest) - 1).lstrip("0"))
        return (self.max_digits or _UNBOUNDED_DIGITS) - (self.decimal_places or 0)

    def _bounds(self) -> Schema:
        largest = 10 ** self._whole_digits() - 1
        bounds = {"exclusiveMinimum": self.gt, "minimum": self.ge, "exclusiveMaximum": self.lt, "maximum": self.le}
        told = {name: int(bound) for name, bound in bounds.items() if bound is not None}
        widest = ({} if {"exclusiveMinimum", "minimum"} & set(told) else {"minimum": -largest}) | (
            {} if {"exclusiveMaximum", "maximum"} & set(told) else {"maximum": largest}
        )
        return widest | told


_LIMITS = [limit.name for limit in dataclasses.fields(Limits)]


def _digits(most: int) -> str:
    return f"[0-9]{{1,{most}}}" if most else "0"


def tell_decimals(schemas: Mapping[str, Schema], models: Collection[type[BaseModel]]) -> None:
    """Put patterns into the schemas of models that requests send, by their names."""
    for model in models:
        properties = schemas.get(model.__name__, {}).get("properties", {})
        for name, hint in get_type_hints(model, include_extras=True).items():
            if name in properties and (found := next(_decimals(hint), None)) is not None:
                properties[name] = _with_choices(properties[name], found.schema())


def models_in(hint: object) -> Iterator[type[BaseModel]]:
    """The models that a type is made of, down to the last field."""
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        yield hint
        for inner in get_type_hints(hint, include_extras=True).values():
            yield from models_in(inner)
    for inner in get_args(hint):
        yield from models_in(inner)


def _with_choices(schema: Schema, choices: list[Schema]) -> Schema:
    nothing = [choice for choice in schema.get("anyOf", []) if choice == {"type": "null"}]
    told = {name: value for name, value in schema.items() if name not in {"type", "anyOf"}}
    return {"anyOf": [*choices, *nothing]} | told


def _decimals(hint: object) -> Iterator[Limits]:
    if get_origin(hint) is Annotated and get_args(hint)[0] is Decimal:
        limits: dict[str, Any] = {}
        for part in get_args(hint)[1:]:
            for limit in part.metadata if isinstance(part, FieldInfo) else ():
                limits |= {name: getattr(limit, name) for name in _LIMITS if hasattr(limit, name)}
        yield Limits(**limits)
        return
    for inner in get_args(hint):
        yield from _decimals(inner)
