"""What does billing tell? Which plan a workspace is on, and what it may do."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from libs.schema.event import DomainEvent
from libs.schema.values import UtcDatetime


class SubscriptionStatus(StrEnum):
    """Where a subscription stands."""

    TRIAL = "TRIAL"
    ACTIVE = "ACTIVE"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class SubscriptionStarted(DomainEvent, topic="billing.v1", key="workspace_id"):
    """A workspace's subscription began, as a trial or paid."""

    subscription_id: UUID
    workspace_id: UUID
    plan: str
    status: SubscriptionStatus
    current_period_start: UtcDatetime
    current_period_end: UtcDatetime


class EntitlementsChanged(DomainEvent, topic="billing.v1", key="workspace_id"):
    """What a workspace may do from now on; replaces what was said before."""

    workspace_id: UUID
    plan: str
    max_strategies: int
    auto_trading: bool
