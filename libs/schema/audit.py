"""What is told of security? Every context tells who did what to what; auth keeps it, and tells how far its chains go."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints

from libs.schema.event import DomainEvent

INSTALLATION = UUID(int=0)
"""Stands for the workspace of acts that belong to none, such as a login with an address that nobody has."""

ActName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$", max_length=100)]
"""What was done, as a thing and a past-tense verb: `session.opened`."""
TargetKind = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=50)]
"""What kind of thing it was done to: `session`."""
Words = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=300)]
"""A short text; the database takes no NUL."""


class ActorKind(StrEnum):
    """As what somebody acts."""

    USER = "USER"
    STAFF = "STAFF"
    API_KEY = "API_KEY"
    SYSTEM = "SYSTEM"


class ActResult(StrEnum):
    """What became of an act."""

    SUCCEEDED = "SUCCEEDED"
    REFUSED = "REFUSED"
    FAILED = "FAILED"


class SecurityActed(DomainEvent, topic="audit.v1", key="workspace_id"):
    """Somebody did, or tried, what matters to security. Any context tells it, in the transaction that did it."""

    workspace_id: UUID
    """Whose trail it belongs to; the nil UUID stands for the installation."""
    act: ActName
    actor_kind: ActorKind
    actor_id: UUID | None = None
    """The user or API key; None for the system, and for somebody whom nobody knows."""
    on_behalf_of: UUID | None = None
    """The user in whose place staff acted."""
    target_kind: TargetKind
    target_id: Words
    result: ActResult
    reason: Words | None = None
    address: Words | None = None
    """The IP address that the request came from."""
    device: Words | None = None
    """What the client says that it is."""


class AuditHeadPublished(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A workspace's audit trail had this many entries, and this was the hash of the last: what is cut off later shows."""

    workspace_id: UUID
    sequence: int
    """The last entry's number; entries are counted from 1 without gaps, so it is also how many there are."""
    previous_sequence: int | None = None
    """The number in the head that was told before, 0 for the first, so that a head that is missing shows."""
    hash: str
    """SHA-256, in hexadecimal digits."""
    kid: str
    """The key that signed."""
    signature: str
    """A compact JWS (RFC 7515, EdDSA) whose payload repeats the fields above."""
