"""What if a task can't do its next step with something? It is put off, for longer each time."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.model import Moment

_FIRST_WAIT = timedelta(minutes=1)
_LONGEST_WAIT = timedelta(days=1)
_DOUBLINGS = 16


class Deferrable:
    """Mixin of mapped aggregates that a task goes on with: when that is due, and how often it failed in a row."""

    next_at: Mapped[Moment]
    """When the next step is due."""
    failures: Mapped[int] = mapped_column(server_default=text("0"))

    def put_off(self, at: datetime) -> None:
        """The step failed: it is tried again after a minute, and after twice as long each time, up to a day."""
        self.next_at = at + min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(self.failures, _DOUBLINGS))
        self.failures += 1
