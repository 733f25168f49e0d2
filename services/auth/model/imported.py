"""Who came from a file? And from which line of it, so that the same file makes nobody twice."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.model import Moment
from services.auth.model.metadata import Base


class ImportedPerson(Base):
    """The line that a person was imported from, kept in their home as a hash alone."""

    __tablename__ = "imported_person"
    __table_args__ = (
        UniqueConstraint("line_digest", name="imported_person_line"),
        CheckConstraint("octet_length(line_digest) = 32", name="imported_person_digest"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.user.id"))
    line_digest: Mapped[bytes]
    imported_at: Mapped[Moment] = mapped_column(server_default=func.now())
