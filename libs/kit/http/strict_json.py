"""Which JSON do we take? What every reader reads in the same way (RFC 7493), in UTF-8, and no more of it than is allowed.

No key twice, no NaN, no Infinity, no character NUL, which PostgreSQL keeps in no text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from libs.kit.errors import FieldError, Invalid, Rejected

_SHOWN = 40
# JSON has no other spelling of it.
_NUL = rb"\u0000"
# Possessive, and content with a string that never ends: no body makes it look at a byte twice.
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_OPENING = b"[{"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a body may hold."""

    bytes: int
    depth: int
    containers: int
    """Arrays and objects, all together."""


class MalformedJson(Rejected):
    """The body is not JSON that all read alike; the text says where or why."""

    slug = "malformed-json"


class TooDeep(Rejected):
    """Arrays and objects nest deeper, or are more, than is taken."""

    slug = "too-deep"


class HoldsNul(Invalid):
    """Texts hold the character NUL; each is named."""

    def __init__(self, pointers: list[str]) -> None:
        message = "holds the character NUL, which can't be kept"
        super().__init__(", ".join(pointers), message)
        self.errors = tuple(FieldError(pointer, message) for pointer in pointers)


def parse(body: bytes, limits: Limits) -> object:
    """The value. Arrays and objects are counted before any is made. Raises MalformedJson, TooDeep, HoldsNul."""
    _refuse_too_many(body, limits)
    try:
        value: object = json.loads(body.decode(), object_pairs_hook=_without_twins, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise MalformedJson("the body is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise MalformedJson(f"the body is not JSON: /{error.pos}: {error.msg}") from error
    except ValueError as error:
        raise MalformedJson("the body is not JSON: a number has too many digits") from error
    if _NUL in body and (pointers := _nul_pointers(value)):
        raise HoldsNul(pointers)
    return value


def _refuse_too_many(body: bytes, limits: Limits) -> None:
    # Nearly always these are few, even with those in texts.
    at_most = body.count(b"[") + body.count(b"{")
    if at_most <= limits.depth:
        return
    brackets = _brackets(body)
    if sum(map(brackets.count, (b"[", b"{"))) > limits.containers:
        raise TooDeep(f"the body has more than {limits.containers} arrays and objects")
    if _depth(brackets) > limits.depth:
        raise TooDeep(f"the body nests deeper than {limits.depth} levels")


def _brackets(body: bytes) -> bytes:
    """The brackets that are not in texts, without parsing."""
    return _STRINGS.sub(b"", body).translate(None, _NOT_BRACKETS)


def _depth(brackets: bytes) -> int:
    depth = deepest = 0
    for character in brackets:
        depth += 1 if character in _OPENING else -1
        deepest = max(deepest, depth)
    return deepest


def _nul_pointers(value: object) -> list[str]:
    """Where texts hold the character NUL: the first few, each once."""
    # A name may hold half a character, which no answer can.
    found = (pointer.encode(errors="replace").decode() for pointer in islice(_with_nul("", value), _SHOWN))
    return list(dict.fromkeys(found))


def _with_nul(pointer: str, part: object) -> Iterator[str]:
    if isinstance(part, str) and "\0" in part:
        yield pointer or "/"
    if isinstance(part, list):
        for index, item in enumerate(part):
            yield from _with_nul(f"{pointer}/{index}", item)
    if isinstance(part, dict):
        for name, item in part.items():
            yield from _with_nul(f"{pointer}/{name}", name)
            yield from _with_nul(f"{pointer}/{name}", item)


def _without_twins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made: dict[str, object] = {}
    for name, value in pairs:
        if name in made:
            raise MalformedJson(
                f"the body is not JSON that all read alike: the key {json.dumps(name[:_SHOWN])} is there twice"
            )
        made[name] = value
    return made


def _refuse_constant(constant: str) -> None:
    raise MalformedJson(f"the body is not JSON that all read alike: {constant} is not JSON")
