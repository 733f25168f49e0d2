"""What does somebody give to those whom they bring? A code, random enough that nobody has another's by chance."""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.model import Moment, TenantOwned
from services.auth.model.metadata import Base

# Without what is mistaken for something else when it is read out or copied by hand.
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_LENGTH = 12
_SEPARATORS = re.compile(r"[\s-]+")


def new_referral_code() -> str:
    """Twelve of 32 characters: 60 random bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def referral_code_key(typed: str) -> str:
    """A code as it is kept, however somebody wrote it."""
    return _SEPARATORS.sub("", typed).upper()


class ReferralCode(TenantOwned, Base):
    """A code of somebody who brings customers, kept in their home."""

    __tablename__ = "referral_code"
    __table_args__ = (
        UniqueConstraint("code", name="referral_code_code"),
        Index("referral_code_user", "user_id", "created_at", "id"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.user.id"))
    code: Mapped[str]
    revoked_at: Mapped[Moment | None]

    def revoke(self, at: datetime) -> bool:
        """Let nobody register with it any more; whether anybody could. Whoever did stays brought."""
        if self.revoked_at is not None:
            return False
        self.revoked_at = at
        return True
