"""Who is somebody? A person who can log in, known by an address."""

from __future__ import annotations

import unicodedata
from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.model import Moment, Versioned
from services.auth.model.metadata import Base
from services.auth.model.roles import PlatformRole


def email_key(email: str) -> str:
    """What an address is known by: two that differ in case or in Unicode form alone are the same person's."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", email).casefold())


class User(Versioned, Base):
    """A person who can log in. Belongs to no workspace: a person may be a member of several."""

    __tablename__ = "user"
    __table_args__ = (
        UniqueConstraint("email_key", name="user_email_key"),
        CheckConstraint("platform_role IN ('USER', 'ADMIN')", name="user_platform_role"),
    )

    email: Mapped[str]
    email_key: Mapped[str]
    password_hash: Mapped[str]
    first_name: Mapped[str | None]
    last_name: Mapped[str | None]
    platform_role: Mapped[str] = mapped_column(default=PlatformRole.USER)
    is_active: Mapped[bool] = mapped_column(default=True)
    email_verified: Mapped[bool] = mapped_column(default=False)
    # The workspace is made after its owner, in the same transaction, hence no foreign key.
    default_workspace_id: Mapped[UUID]
    last_login_at: Mapped[Moment | None]
