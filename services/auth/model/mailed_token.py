"""What is in a mail that opens a door? A secret that works once, for one purpose, for a while; only its hash is kept."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.ids import uuid7
from libs.kit.model import Moment
from services.auth.model.metadata import Base
from services.auth.model.roles import one_of


class Purpose(StrEnum):
    """What the holder of a mailed token may do."""

    VERIFY_EMAIL = "VERIFY_EMAIL"
    RESET_PASSWORD = "RESET_PASSWORD"
    UNLOCK = "UNLOCK"


class MailedToken(Base):
    """A token that was sent to a person's address; the first of a purpose that is used voids the others."""

    __tablename__ = "mailed_token"
    __table_args__ = (
        UniqueConstraint("token_hash", name="mailed_token_hash"),
        CheckConstraint(one_of("purpose", Purpose), name="mailed_token_purpose"),
        Index("mailed_token_user", "user_id", "purpose"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    tenant_id: Mapped[UUID]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.user.id"))
    purpose: Mapped[str]
    email: Mapped[str]
    """Where it was sent: it says nothing about an address that came later."""
    token_hash: Mapped[bytes]
    expires_at: Mapped[Moment]
    used_at: Mapped[Moment | None]
    created_at: Mapped[Moment] = mapped_column(server_default=func.now())

    def use(self, at: datetime) -> bool:
        """Whether it may be used now; it may not again."""
        usable = self.used_at is None and at < self.expires_at
        self.used_at = self.used_at or at
        return usable
