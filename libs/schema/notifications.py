"""What do notifications tell? What a user was told."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from libs.schema.event import DomainEvent


class NotificationType(StrEnum):
    """What a notification is about."""

    SIGNAL = "SIGNAL"
    ORDER = "ORDER"
    PORTFOLIO = "PORTFOLIO"
    SYSTEM = "SYSTEM"


class NotificationDelivered(DomainEvent, topic="notifications.v1", key="workspace_id"):
    """A notification reached the workspace's in-app list."""

    notification_id: UUID
    workspace_id: UUID
    notification_type: NotificationType
    title: str
