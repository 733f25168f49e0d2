"""Is a secret in what somebody can read? Looked for as it is, in pieces, and in the encodings that hide it from the eye."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

_PIECE = 16
_BITS, _SYMBOL_BITS = 8, 6


@dataclass(frozen=True, slots=True)
class Secret:
    """What must be nowhere."""

    name: str
    value: bytes

    @classmethod
    def of(cls, name: str, text: str) -> Secret:
        """A secret that is text."""
        return cls(name, text.encode())


@dataclass(frozen=True, slots=True)
class Leak:
    """A secret, or a piece of it, where it must not be."""

    secret: str
    form: str
    source: str

    def __str__(self) -> str:
        return f"{self.secret} as {self.form} in {self.source}"


def pieces(value: bytes) -> list[bytes]:
    """Parts that cover the value; whoever shows twice the length of one shows one whole."""
    if len(value) <= _PIECE:
        return [value]
    whole = [value[first : first + _PIECE] for first in range(0, len(value) - _PIECE, _PIECE)]
    return [*whole, value[-_PIECE:]]


def forms(piece: bytes) -> Iterator[tuple[str, bytes]]:
    """The piece in every encoding, each without what would depend on its neighbours."""
    yield "plain text", piece
    yield "hex", piece.hex().encode()
    yield "HEX", piece.hex().upper().encode()
    yield "percent-encoding", quote(piece, safe="").encode()
    yield "percent-encoding of every character", "".join(f"%{byte:02X}" for byte in piece).encode()
    yield "JSON", json.dumps(piece.decode(errors="ignore"))[1:-1].encode()
    for before in range(3):
        first, last = -(-_BITS * before // _SYMBOL_BITS), _BITS * (before + len(piece)) // _SYMBOL_BITS
        padded = bytes(before) + piece
        yield "base64", base64.b64encode(padded)[first:last]
        yield "base64url", base64.urlsafe_b64encode(padded)[first:last]


def leaks(secrets: Iterable[Secret], sources: Mapping[str, bytes]) -> list[Leak]:
    """Every secret that is in a source, once for each form."""
    found: dict[Leak, None] = {}
    for secret in secrets:
        needles = {needle: form for piece in pieces(secret.value) for form, needle in reversed(list(forms(piece)))}
        for source, text in sources.items():
            found |= {Leak(secret.name, form, source): None for needle, form in needles.items() if needle in text}
    return list(found)
