"""What does auth tell? Who registered, and which workspace that made."""

from __future__ import annotations

from uuid import UUID

from libs.schema.event import DomainEvent


class UserRegistered(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A person registered; their personal workspace is the tenant of all that follows."""

    user_id: UUID
    workspace_id: UUID
    email: str
    first_name: str | None = None
    last_name: str | None = None
