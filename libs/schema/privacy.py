"""What is told when a person wants all that is held about them, or wants it gone? Auth asks, and every context answers.

What contexts answer with is sealed for auth alone: nothing personal lies on the bus in the open because of an export.
"""

from __future__ import annotations

from datetime import date
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from libs.schema.event import DomainEvent
from libs.schema.values import UtcDatetime

HOLDERS = ("auth", "billing", "marketdata", "notifications", "orders", "portfolio", "signals")
"""The contexts that hold something about people, and answer."""


class HeldRows(BaseModel):
    """How many rows of a table are about a person."""

    model_config = ConfigDict(frozen=True)

    table: str
    rows: int


class KeptRows(BaseModel):
    """Rows that stay when a person is erased."""

    model_config = ConfigDict(frozen=True)

    table: str
    rows: int | None
    """None where nobody counts them: messages, which go as a whole."""
    ground: str
    """What allows or demands it, in law."""
    until: date
    """When the last of them may go, reckoned from the erasure."""


class DataExportRequested(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A person wants all that is held about them."""

    export_id: UUID
    user_id: UUID
    workspace_id: UUID
    """The person's home."""
    workspace_ids: tuple[UUID, ...]
    """Every workspace that is theirs alone, the home first."""
    public_key: str
    """What parts are sealed for: an X25519 key of this export alone, in base64."""


class DataExportPart(DomainEvent, topic="privacy.v1", key="export_id"):
    """A piece of a table as JSON Lines, compressed and sealed; the pieces of a table follow each other."""

    export_id: UUID
    context: str
    number: int
    """The context's first, second..."""
    table: str
    sealed: str
    """Base64."""


class DataExportAnswered(DomainEvent, topic="privacy.v1", key="export_id"):
    """A context has told all that it holds about a person."""

    export_id: UUID
    context: str
    parts: int
    tables: tuple[HeldRows, ...]


class ErasureRequested(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A person wants to be erased, and has until then to think again."""

    erasure_id: UUID
    user_id: UUID
    workspace_id: UUID
    due_at: UtcDatetime


class ErasureCancelled(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A person wants to stay after all."""

    erasure_id: UUID
    user_id: UUID
    workspace_id: UUID


class UserErased(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A person is gone, for good: whoever holds something about them erases it, or says why it is kept."""

    erasure_id: UUID
    user_id: UUID
    workspace_id: UUID
    """What was the person's home."""
    workspace_ids: tuple[UUID, ...]
    """Every workspace that was theirs alone, the home first."""


class PersonalDataErased(DomainEvent, topic="privacy.v1", key="erasure_id"):
    """A context has erased what it held about a person, but what it names as kept."""

    erasure_id: UUID
    context: str
    erased: tuple[HeldRows, ...]
    kept: tuple[KeptRows, ...]
