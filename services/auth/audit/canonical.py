"""How is JSON written so that equal values are equal bytes? As RFC 8785 says, for all values but fractions.

Fractions are refused: no entry needs one, and theirs is the only rule of the RFC that is hard to get right.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring
from typing import TypeAlias

Json: TypeAlias = "str | int | bool | Sequence[Json] | Mapping[str, Json] | None"

# Integers beyond this are not exact in readers whose numbers are binary64 (RFC 8785, section 3.2.2.3).
LARGEST_INTEGER = 2**53 - 1

# Python's writer escapes what the RFC wants escaped, in the same way, and nothing else.
_writer = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"))


def canonical(value: Json) -> bytes:
    """The one way to write a value. Raises ValueError or TypeError for what has none, such as fractions."""
    return _writer.encode(_ordered(value)).encode()


def text(value: str | None) -> str:
    """A text, or nothing, as `canonical` writes it, for those who write much by hand."""
    return "null" if value is None else encode_basestring(value)


def _ordered(value: Json) -> Json:
    match value:
        case str() | bool() | None:
            return value
        case int():
            if abs(value) > LARGEST_INTEGER:
                raise ValueError(f"{value} is not exact in every reader")
            # A subclass may write itself in another way.
            return int(value)
        case Mapping():
            return {name: _ordered(value[name]) for name in sorted(value, key=_code_units)}
        case list() | tuple():
            return [_ordered(item) for item in value]
    raise TypeError(f"JSON of ours has no {type(value).__name__}")


def _code_units(name: str) -> bytes:
    """Names are sorted by their UTF-16 code units (RFC 8785, section 3.2.3)."""
    return name.encode("utf-16-be")
