"""What does a client ask of its server, and in which of its bytes? What all protocols have in common."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a client that belong together."""

    data: bytes
    asks: str | None = None
    """What they make the server do: an SQL statement, or one of Kafka's requests by its name."""
    farewell: bytes = b""
    """What has to be sent behind them so that the server does it, and then ends the connection."""


class Scanner(Protocol):
    """Looks at what one client sends."""

    def feed(self, data: bytes) -> Iterator[Piece]:
        """The bytes again, cut into pieces; what is not yet a whole message is kept for the next call."""

    @property
    def application(self) -> str:
        """The client's name, as far as it has told it."""


class PlainScanner:
    """Sees bytes."""

    application = ""

    def feed(self, data: bytes) -> Iterator[Piece]:
        """The bytes as they came."""
        yield Piece(data)
