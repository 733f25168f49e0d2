"""What is the rule? A workspace is told of an event once; what it was told has a place in its feed, without gaps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import BigInteger, CheckConstraint, Index, MetaData, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libs.kit.backbone import add_backbone
from libs.kit.ids import uuid7
from libs.kit.model import Moment, TenantOwned
from libs.schema.event import Cause
from libs.schema.notifications import NotificationDelivered, NotificationType


class Base(DeclarativeBase):
    """The tables of this context."""

    metadata = MetaData(schema="notifications")


add_backbone(Base.metadata)


class Priority(StrEnum):
    """How much a notification matters."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    URGENT = "URGENT"


class DeliveryMethod(StrEnum):
    """How a notification reaches people."""

    IN_APP = "in_app"


class Metadata(BaseModel):
    """The exact figures behind a notification's text; in JSON every one is a string."""

    model_config = ConfigDict(frozen=True)


@dataclass(frozen=True, slots=True)
class Notice:
    """What a workspace is to be told because of an event."""

    event_id: UUID
    """The event that caused it; a workspace is told of it once."""
    cause: Cause
    tenant_id: UUID
    notification_type: NotificationType
    priority: Priority
    title: str
    message: str
    metadata: Metadata
    occurred_at: datetime
    """When it happened in the world."""


class Notification(TenantOwned, Base):
    """Something that a workspace was told."""

    __tablename__ = "notification"
    __table_args__ = (
        UniqueConstraint("event_id", name="notification_event_id"),
        UniqueConstraint("tenant_id", "position", name="notification_position"),
        CheckConstraint("is_read = (read_at IS NOT NULL)", name="notification_read"),
        Index("notification_unread", "tenant_id", "position", postgresql_where=text("NOT is_read")),
    )

    event_id: Mapped[UUID]
    position: Mapped[int] = mapped_column(BigInteger)
    title: Mapped[str]
    message: Mapped[str]
    notification_type: Mapped[str]
    priority: Mapped[str]
    is_read: Mapped[bool]
    read_at: Mapped[Moment | None]
    delivery_methods: Mapped[list[str]] = mapped_column(JSONB)
    delivered_at: Mapped[Moment]
    metadata_: Mapped[dict[str, str]] = mapped_column("metadata", JSONB)
    occurred_at: Mapped[Moment]

    def read(self, at: datetime) -> None:
        """Somebody of the workspace has seen it; the first time counts."""
        if not self.is_read:
            self.is_read, self.read_at = True, at

    def deliver(self) -> list[NotificationDelivered]:
        """Tell that it is in the workspace's list."""
        return [
            NotificationDelivered(
                occurred_at=self.delivered_at,
                notification_id=self.id,
                workspace_id=self.tenant_id,
                notification_type=NotificationType(self.notification_type),
                title=self.title,
            )
        ]


class Feed(Base):
    """A workspace's notifications in order. Its lock makes positions visible in the order in which they grow.

    So a reader who has seen a position has seen, or could see, all before it: a stream resumes there without loss.
    """

    __tablename__ = "feed"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    last_position: Mapped[int] = mapped_column(BigInteger)

    def add(self, notice: Notice, at: datetime) -> Notification:
        """The next notification of the workspace, told at `at`."""
        self.last_position += 1
        return Notification(
            id=uuid7(),
            tenant_id=self.tenant_id,
            version=0,
            event_id=notice.event_id,
            position=self.last_position,
            title=notice.title,
            message=notice.message,
            notification_type=notice.notification_type,
            priority=notice.priority,
            is_read=False,
            delivery_methods=[DeliveryMethod.IN_APP],
            delivered_at=at,
            metadata_=notice.metadata.model_dump(mode="json"),
            occurred_at=notice.occurred_at,
        )
