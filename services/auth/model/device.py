"""What is a device's authorization? A question that a person answers elsewhere, and that gives one session at most."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Text, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.ids import uuid7
from libs.kit.model import Moment
from services.auth.model.metadata import Base
from services.auth.model.oauth import Refusal

# RFC 8628, section 3.5: whoever is told to slow down waits for so much longer from then on.
_SLOWER_SECONDS = 5


class DeviceState(StrEnum):
    """What became of the question."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    DENIED = "DENIED"
    USED = "USED"


class DeviceAuthorization(Base):
    """A device that waits for a person (RFC 8628). Nobody's, until somebody approves it. Only hashes of codes are kept."""

    __tablename__ = "device_authorization"
    __table_args__ = (
        UniqueConstraint("device_code_hash", name="device_authorization_device_code"),
        UniqueConstraint("user_code_hash", name="device_authorization_user_code"),
        CheckConstraint("state IN ('PENDING', 'APPROVED', 'DENIED', 'USED')", name="device_authorization_state"),
        CheckConstraint(
            "(state IN ('APPROVED', 'USED')) = (user_id IS NOT NULL AND workspace_id IS NOT NULL"
            " AND authenticated_at IS NOT NULL)",
            name="device_authorization_has_a_person",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    client_id: Mapped[str]
    device_code_hash: Mapped[bytes]
    user_code_hash: Mapped[bytes]
    address: Mapped[str]
    """Where it was asked from, for the person to recognise."""
    state: Mapped[str] = mapped_column(default=DeviceState.PENDING)
    interval_seconds: Mapped[int]
    """How long the device has to wait between two polls."""
    expires_at: Mapped[Moment]
    polled_at: Mapped[Moment | None]
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("auth.user.id"))
    workspace_id: Mapped[UUID | None]
    """The workspace that the session will be for."""
    authenticated_at: Mapped[Moment | None]
    """When the person who approved last showed who they are: the device's session ends as if it had begun then."""
    created_at: Mapped[Moment] = mapped_column(server_default=func.now())
    methods: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    """Nothing: a device has not done what its person did. The release before gave its session what stood here."""

    def waits(self, at: datetime) -> bool:
        """Whether a person can still answer."""
        return self.state == DeviceState.PENDING and at < self.expires_at

    def approve(self, user_id: UUID, workspace_id: UUID, authenticated_at: datetime) -> None:
        """Let the device have a session of a person's in one of their workspaces."""
        self.state, self.user_id, self.workspace_id = DeviceState.APPROVED, user_id, workspace_id
        self.authenticated_at = authenticated_at

    def deny(self) -> None:
        """Let the device have nothing, ever."""
        self.state = DeviceState.DENIED

    def poll(self, at: datetime) -> Refusal | None:
        """Answer the device; None once, when the session is to be opened now."""
        if self.state == DeviceState.USED:
            return Refusal.INVALID_GRANT
        if at >= self.expires_at:
            return Refusal.EXPIRED_TOKEN
        hurried = self.polled_at is not None and at < self.polled_at + timedelta(seconds=self.interval_seconds)
        self.polled_at = at
        if hurried:
            self.interval_seconds += _SLOWER_SECONDS
            return Refusal.SLOW_DOWN
        if self.state == DeviceState.APPROVED:
            self.state = DeviceState.USED
            return None
        return Refusal.ACCESS_DENIED if self.state == DeviceState.DENIED else Refusal.AUTHORIZATION_PENDING
