"""What is the rule? A workspace is told of an event once; what it was told has a place in its feed, without gaps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import BigInteger, CheckConstraint, Index, MetaData, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libs.kit.backbone import add_backbone
from libs.kit.ids import uuid7
from libs.kit.model import Moment, TenantOwned
from libs.kit.personal_data.erased import add_erased_workspaces
from libs.kit.rate_limits import add_rate_limits
from libs.schema.auth import MailTemplate
from libs.schema.event import Cause
from libs.schema.notifications import NotificationDelivered, NotificationType

MAX_MAIL_ATTEMPTS = 12
MAX_MAIL_PAUSE = timedelta(hours=1)
MAIL_LEASE = timedelta(minutes=2)
"""Longer than a server may take to answer."""


class Base(DeclarativeBase):
    """The tables of this context."""

    metadata = MetaData(schema="notifications")


add_backbone(Base.metadata)
add_rate_limits(Base.metadata)
add_erased_workspaces(Base.metadata)


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


class MailState(StrEnum):
    """What became of a mail."""

    QUEUED = "QUEUED"
    SENT = "SENT"
    EXPIRED = "EXPIRED"
    """What it says does not hold any more."""
    FAILED = "FAILED"
    """The server wants it never, or did not want it often enough."""


class Mail(Base):
    """A mail to one person. Its secret, where it has one, is not kept: it is derived from the id when it is sent."""

    __tablename__ = "mail"
    __table_args__ = (
        UniqueConstraint("event_id", name="mail_event_id"),
        CheckConstraint("state IN ('QUEUED', 'SENT', 'EXPIRED', 'FAILED')", name="mail_state"),
        Index("mail_due", "due_at", postgresql_where=text("state = 'QUEUED'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    event_id: Mapped[UUID]
    user_id: Mapped[UUID]
    address: Mapped[str]
    template: Mapped[str]
    language: Mapped[str]
    expires_at: Mapped[Moment | None]
    state: Mapped[str]
    attempts: Mapped[int]
    due_at: Mapped[Moment]
    """When it is tried next; while it is tried, when another may try because the first one died."""
    settled_at: Mapped[Moment | None]
    error: Mapped[str | None]
    occurred_at: Mapped[Moment]
    workspace_name: Mapped[str | None]
    """What an invitation is to, in a stranger's words."""

    def take(self, at: datetime) -> bool:
        """Let one sender try it now; whether there is still a reason to."""
        if self.expires_at is not None and self.expires_at <= at:
            self._settle(MailState.EXPIRED, at, None)
            return False
        self.attempts += 1
        self.due_at = at + MAIL_LEASE
        return True

    def sent(self, at: datetime) -> None:
        """The server has it."""
        self._settle(MailState.SENT, at, None)

    def refused(self, error: str, at: datetime) -> None:
        """The server wants it never."""
        self._settle(MailState.FAILED, at, error)

    def delayed(self, error: str, at: datetime) -> None:
        """The server did not take it now: it is tried again, later each time, and at last given up."""
        if self.attempts >= MAX_MAIL_ATTEMPTS:
            self._settle(MailState.FAILED, at, error)
            return
        self.error = error
        self.due_at = at + min(timedelta(seconds=5 << self.attempts), MAX_MAIL_PAUSE)

    def _settle(self, state: MailState, at: datetime, error: str | None) -> None:
        self.state, self.settled_at, self.error = state, at, error
        if self.template == MailTemplate.INVITATION:
            # It may be the address of somebody whom no workspace of theirs makes known, and nobody needs it any more.
            self.address = ""


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
