"""What is a session? Refresh tokens that follow each other, each used once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.ids import uuid7
from libs.kit.model import Moment
from services.auth.model.metadata import Base


class RefreshToken(Base):
    """One link of a session: used once, it is followed by the next of its family. Only its hash is kept."""

    __tablename__ = "refresh_token"
    __table_args__ = (
        UniqueConstraint("token_hash", name="refresh_token_hash"),
        Index("refresh_token_family", "family_id"),
        Index("refresh_token_user", "user_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    tenant_id: Mapped[UUID]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.user.id"))
    family_id: Mapped[UUID]
    """The id of the session's first token."""
    token_hash: Mapped[bytes]
    expires_at: Mapped[Moment]
    used_at: Mapped[Moment | None]
    revoked_at: Mapped[Moment | None]
    created_at: Mapped[Moment] = mapped_column(server_default=func.now())

    def is_usable(self, at: datetime) -> bool:
        """Whether it can be exchanged for the next one."""
        return self.used_at is None and self.revoked_at is None and at < self.expires_at
