"""What is a forgotten password? A request that is the same for an address that somebody has and for one that nobody has."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from libs.kit.ids import uuid7
from libs.schema.auth import PasswordResetRequested


@dataclass(slots=True)
class ResetRequest:
    """Somebody's word that they forgot a password; nothing of it is kept but its event."""

    id: UUID = field(default_factory=uuid7)
    version: int = 0

    @property
    def tenant(self) -> UUID | None:
        """Nobody's: whose the address is stays open."""
        return None

    def ask(self, email: str, at: datetime) -> PasswordResetRequested:
        """Tell for which address."""
        return PasswordResetRequested(occurred_at=at, email=email)
