"""What can happen to bytes on their way? Delays, a narrow line, and cuts around a statement."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from enum import Enum

from tests.instruments.scanning import Piece

COMMIT = re.compile(r"\s*(COMMIT|END)\b", re.IGNORECASE)
PRODUCE = re.compile("Produce")


class Cut(Enum):
    """How a connection ends."""

    RESET = "reset"
    """As when the other machine has lost it: RST, and what was on the way is gone."""
    END = "end"
    """As when the other process closed it: FIN, after what was on the way."""


class Moment(Enum):
    """When, around a statement or request, a connection is cut."""

    BEFORE = "before it reaches the server"
    AFTER = "after it was sent, before its answer"


@dataclass(frozen=True, slots=True)
class Line:
    """How bytes travel on a connection that is open."""

    delay_seconds: float = 0.0
    """Every byte is so late; as many as before arrive in a second."""
    jitter_seconds: float = 0.0
    """Up to so much later, drawn for each chunk: what is sent on several connections arrives in another order."""
    bytes_per_second: float | None = None


CLEAR = Line()


@dataclass(eq=False)
class Trap:
    """Cuts the connections that send a statement or request, `left` times and then it is `done`; `sprung` counts."""

    moment: Moment
    left: int
    statement: re.Pattern[str]
    application: str
    sprung: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def takes(self, piece: Piece, application: str) -> bool:
        """Whether it snaps for this piece of a client's bytes."""
        if piece.asks is None or not self.left or not application.startswith(self.application):
            return False
        return self.statement.match(piece.asks) is not None

    def snap(self) -> None:
        """Count one cut."""
        self.left -= 1
        self.sprung += 1
        if not self.left:
            self.done.set()
