"""What does auth tell? Who registered, what they risk, whether they are who they say, and that they have settled in."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from libs.schema.event import DomainEvent
from libs.schema.values import Amount, Currency, UtcDatetime


class RiskTolerance(StrEnum):
    """How much a person wants to risk."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


class KycRejectionReason(StrEnum):
    """Why somebody's word on who they are was not believed."""

    DOCUMENT_UNREADABLE = "DOCUMENT_UNREADABLE"
    DOCUMENT_EXPIRED = "DOCUMENT_EXPIRED"
    NAME_MISMATCH = "NAME_MISMATCH"
    IDENTIFIER_MISMATCH = "IDENTIFIER_MISMATCH"
    SUSPECTED_FRAUD = "SUSPECTED_FRAUD"
    OTHER = "OTHER"


class UserRegistered(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A person registered; their personal workspace is the tenant of all that follows."""

    user_id: UUID
    workspace_id: UUID
    email: str
    first_name: str | None = None
    last_name: str | None = None


class RiskSettingsChanged(DomainEvent, topic="auth.v1", key="workspace_id"):
    """What a person wants to risk from now on; replaces what was said before.

    Until the first of a workspace, its person's settings are those that nobody chose: MEDIUM, and 10,000.00 USD a day.
    """

    user_id: UUID
    workspace_id: UUID
    """The person's own, personal workspace."""
    risk_tolerance: RiskTolerance
    max_daily_loss: Amount
    currency: Currency


class KycSubmitted(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A person handed in what is to show who they are."""

    user_id: UUID
    workspace_id: UUID
    submission: int
    """The person's first, second..."""


class KycVerified(DomainEvent, topic="auth.v1", key="workspace_id"):
    """Staff found that a person is who they say."""

    user_id: UUID
    workspace_id: UUID
    expires_at: UtcDatetime


class KycRejected(DomainEvent, topic="auth.v1", key="workspace_id"):
    """Staff did not find that a person is who they say; what they wrote about it stays with auth."""

    user_id: UUID
    workspace_id: UUID
    reason: KycRejectionReason


class KycExpired(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A verification is too old to count."""

    user_id: UUID
    workspace_id: UUID


class KycWithdrawn(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A submission or verification counts no more: the person has changed the national identifiers that it was for."""

    user_id: UUID
    workspace_id: UUID


class OnboardingCompleted(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A person has done or skipped every step that a newcomer is led through. Told once."""

    user_id: UUID
    workspace_id: UUID
