"""What is an event's contract, and which changes break it? Only optional additions do not."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic.fields import FieldInfo

import libs.schema
from libs.schema.event import DomainEvent

Schema = Mapping[str, Any]
SNAPSHOTS = Path(libs.schema.__file__).parent / "snapshots"

# What explains a schema to people, and changes nothing for a reader or writer.
_WORDS = frozenset({"title", "description", "examples", "deprecated", "$defs"})

_FEW_DIGITS, _MANY_DIGITS = (f"decimal decimal_places=8 ge=0 max_digits={digits}" for digits in (20, 28))
WIDENED = (
    ("pattern", "^[A-Z0-9][A-Z0-9./^=_-]{0,31}$", "^[A-Z0-9^][A-Z0-9./^=_&-]{0,31}$"),
    ("x-exactly", _FEW_DIGITS, _MANY_DIGITS),
)
"""Limits that were widened where they stand, by decision: the word, what it was, and what it is.

All that is in the topics stays valid. What is new is refused by the release before, so readers are upgraded before
whoever writes it.
"""


def schema_of(event: type[DomainEvent]) -> dict[str, Any]:
    """The JSON Schema that records of the event meet, with the topic and key that they travel by."""
    schema = event.model_json_schema(mode="validation")
    for name, hint in get_type_hints(event, include_extras=True).items():
        if (exactly := " or ".join(_decimals(hint))) and name in schema["properties"]:
            schema["properties"][name]["x-exactly"] = exactly
    travel = {"x-type": event.type(), "x-topic": event.topic, "x-key": event.key}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **travel, **schema}


def _decimals(hint: object) -> Iterator[str]:
    """The decimals in a type with their limits, which JSON Schema shows as mere strings."""
    if get_origin(hint) is Annotated and get_args(hint)[0] is Decimal:
        limits = [limit for part in get_args(hint)[1:] if isinstance(part, FieldInfo) for limit in _limits(part)]
        yield " ".join(["decimal", *sorted(limits)])
        return
    for inner in get_args(hint):
        yield from _decimals(inner)


def _limits(info: FieldInfo) -> Iterator[str]:
    for part in info.metadata:
        values = dataclasses.asdict(part) if dataclasses.is_dataclass(part) else vars(part)  # type: ignore[arg-type]
        yield from (f"{name}={value}" for name, value in values.items())


def path_of(event: type[DomainEvent]) -> Path:
    """Where the event's golden schema is kept."""
    return SNAPSHOTS / f"{event.type()}.json"


def read(path: Path) -> Schema:
    """A golden schema."""
    schema: Schema = json.loads(path.read_text())
    return schema


def text_of(schema: Schema) -> str:
    """The schema as it is kept: with sorted keys, so that a change shows as few lines."""
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def breaks(old: Schema, new: Schema) -> list[str]:
    """What makes `new` incompatible with `old`, each with the event's and the field's name; empty when nothing does."""
    name = old.get("x-type", old.get("title", "?"))
    return [
        f"{name}: {problem}"
        for problem in (*_travel(old, new), *_differences(_Place("", old, old), _Place("", new, new)))
    ]


class _Place:
    """A part of a schema, with the whole that its references point into."""

    def __init__(self, path: str, part: Schema, whole: Schema) -> None:
        self.path = path
        self.whole = whole
        while "$ref" in part:
            part = whole["$defs"][part["$ref"].removeprefix("#/$defs/")]
        self.part = part

    def into(self, name: str, part: Schema) -> _Place:
        return _Place(f"{self.path}.{name}".strip("."), part, self.whole)


def _travel(old: Schema, new: Schema) -> Iterator[str]:
    for word in ("x-type", "x-topic", "x-key"):
        if old.get(word) != new.get(word):
            yield f"its {word.removeprefix('x-')} was {old.get(word)} and is {new.get(word)}"


def _differences(old: _Place, new: _Place) -> Iterator[str]:
    yield from _properties(old, new)
    for word in sorted((set(old.part) | set(new.part)) - _WORDS - {"properties", "required", "$schema"}):
        if word in {"x-type", "x-topic", "x-key"}:
            continue
        yield from _same(word, old, new)


def _same(word: str, old: _Place, new: _Place) -> Iterator[str]:
    before, after = old.part.get(word), new.part.get(word)
    if isinstance(before, Mapping) and isinstance(after, Mapping) and word in {"items", "additionalProperties"}:
        yield from _differences(old.into(word, before), new.into(word, after))
        return
    if word == "anyOf" and before is not None and after is not None and len(before) == len(after):
        for one, other in zip(before, after, strict=True):
            yield from _differences(_Place(old.path, one, old.whole), _Place(new.path, other, new.whole))
        return
    if word == "enum" and before is not None and after is not None:
        before, after = sorted(before, key=str), sorted(after, key=str)
    if before != after and (word, before, after) not in WIDENED:
        yield f"{old.path or 'the event'}: its {word} was {_shown(before)} and is {_shown(after)}"


def _properties(old: _Place, new: _Place) -> Iterator[str]:
    before, after = old.part.get("properties", {}), new.part.get("properties", {})
    needed_before, needed_after = set(old.part.get("required", ())), set(new.part.get("required", ()))
    for name in before.keys() - after.keys():
        yield f"{old.into(name, {}).path}: was removed"
    for name in sorted(needed_after - before.keys()):
        yield f"{old.into(name, {}).path}: is new and required; only optional fields may be added"
    for name in sorted(before.keys() & after.keys()):
        if (name in needed_before) != (name in needed_after):
            was = "required" if name in needed_before else "optional"
            yield f"{old.into(name, {}).path}: was {was} and no longer is"
        yield from _differences(old.into(name, before[name]), new.into(name, after[name]))


def _shown(value: object) -> str:
    return "not there" if value is None else json.dumps(value, sort_keys=True)
