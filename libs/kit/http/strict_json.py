"""Which JSON do we take? What every reader reads in the same way (RFC 7493): no key twice, no NaN, no Infinity."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice

_SHOWN = 40
# JSON has no other spelling of it.
_NUL = rb"\u0000"


class _Ambiguous(Exception):
    """Two readers would differ; the text says about what."""


def ambiguity(body: bytes) -> str | None:
    """What in the body readers would differ about; None when it is clear, and also when it is no JSON at all."""
    try:
        json.loads(body, object_pairs_hook=_refuse_twins, parse_constant=_refuse_constant)
    except _Ambiguous as problem:
        return str(problem)
    except ValueError:
        return None
    return None


def nul_pointers(body: bytes) -> list[str]:
    """Where texts hold the character NUL, which PostgreSQL keeps in none: the first few, each once."""
    if _NUL not in body:
        return []
    try:
        found = islice(_with_nul("", json.loads(body)), _SHOWN)
    except ValueError:
        return []
    # A name may hold half a character, which no answer can.
    return list(dict.fromkeys(pointer.encode(errors="replace").decode() for pointer in found))


def _with_nul(pointer: str, part: object) -> Iterator[str]:
    if isinstance(part, str) and "\0" in part:
        yield pointer or "/"
    if isinstance(part, list):
        for index, item in enumerate(part):
            yield from _with_nul(f"{pointer}/{index}", item)
    if isinstance(part, dict):
        for name, value in part.items():
            yield from _with_nul(f"{pointer}/{name}", name)
            yield from _with_nul(f"{pointer}/{name}", value)


def _refuse_twins(pairs: list[tuple[str, object]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise _Ambiguous(f"the key {json.dumps(name[:_SHOWN])} is there twice")
        seen.add(name)


def _refuse_constant(constant: str) -> None:
    raise _Ambiguous(f"{constant} is not JSON")
