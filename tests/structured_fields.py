"""What do structured fields say (RFC 9651)? Lists of strings with whole parameters, read strictly by its section 4.2."""

from __future__ import annotations

import re
from collections.abc import Mapping

_STRING = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_PARAMETER = re.compile(r";\x20*([a-z*][a-z0-9_\-.*]*)=(-?[0-9]{1,15})(?![0-9.])")
_COMMA = re.compile(r"[\x20\t]*,[\x20\t]*")


def parse_list(field: str) -> list[tuple[str, Mapping[str, int]]]:
    """The strings of a list and the parameters of each. Raises ValueError for anything else."""
    items: list[tuple[str, Mapping[str, int]]] = []
    place = 0
    while True:
        if (string := _STRING.match(field, place)) is None:
            raise ValueError(f"no string at {place} of {field!r}")
        parameters: dict[str, int] = {}
        place = string.end()
        while (parameter := _PARAMETER.match(field, place)) is not None:
            parameters[parameter[1]] = int(parameter[2])
            place = parameter.end()
        items.append((re.sub(r"\\(.)", r"\1", string[1]), parameters))
        if place == len(field):
            return items
        if (comma := _COMMA.match(field, place)) is None:
            raise ValueError(f"no comma at {place} of {field!r}")
        place = comma.end()
