"""What may a person's trading preferences hold? Any JSON object that is not too large, changed as RFC 7396 says."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import JsonValue

from libs.kit.errors import Invalid

MAX_BYTES = 8_192
"""Of the object as JSON."""


def merged(target: Mapping[str, JsonValue], patch: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """`target` after a JSON Merge Patch (RFC 7396, section 2): null takes a member away, objects merge member by member."""
    result = dict(target)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            known = result.get(name)
            result[name] = merged(known if isinstance(known, dict) else {}, value)
        else:
            result[name] = value
    return result


def check_size(preferences: Mapping[str, JsonValue]) -> None:
    """Raises Invalid when they are too large, or no JSON that can be kept."""
    try:
        size = len(json.dumps(preferences, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode())
    except ValueError:
        # A number that is beyond every double became infinite, or half of a character has lost the other one.
        raise Invalid("/trading_preferences", "holds what JSON can't say") from None
    if size > MAX_BYTES:
        raise Invalid("/trading_preferences", f"is larger than {MAX_BYTES} bytes")
