"""Which JSON do we take? What every reader reads in the same way (RFC 7493): no key twice, no NaN, no Infinity."""

from __future__ import annotations

import json

_SHOWN = 40


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


def _refuse_twins(pairs: list[tuple[str, object]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise _Ambiguous(f"the key {json.dumps(name[:_SHOWN])} is there twice")
        seen.add(name)


def _refuse_constant(constant: str) -> None:
    raise _Ambiguous(f"{constant} is not JSON")
