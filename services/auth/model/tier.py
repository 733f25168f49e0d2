"""Which plan is a workspace on? Billing's word, kept here to be shown; auth never says it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from services.auth.model.metadata import Base


class Tier(Base):
    """The plan of a workspace, as billing last said. Only the consumer may write it."""

    __tablename__ = "tier"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    plan: Mapped[str]
    sequence: Mapped[int] = mapped_column(BigInteger)
    """Of the event that said so; an older one changes nothing."""
