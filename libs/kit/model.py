"""What does every aggregate have? An id, its tenant, and a version that counts its events."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Protocol
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Numeric, func
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.ids import uuid7

# At least 8 decimals for crypto; 20 digits before the point.
Money = Annotated[Decimal, mapped_column(Numeric(28, 8))]
Moment = Annotated[datetime, mapped_column(DateTime(timezone=True))]


class Aggregate(Protocol):
    """Whatever publishes events. `version` is the sequence of its last event, 0 before the first."""

    version: int

    @property
    def id(self) -> UUID:
        """Who it is."""

    @property
    def tenant(self) -> UUID | None:
        """The workspace it belongs to; None for what belongs to everybody."""


@dataclass
class Occurrence:
    """What happens once and is over: an aggregate of a single event, which nobody has to lock and no table holds."""

    tenant: UUID | None
    id: UUID = field(default_factory=uuid7)
    version: int = 0


class Versioned:
    """Mixin of mapped aggregates: the columns that all have."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7, sort_order=-10)
    version: Mapped[int] = mapped_column(BigInteger, default=0, sort_order=10)
    created_at: Mapped[Moment] = mapped_column(server_default=func.now(), sort_order=11)
    updated_at: Mapped[Moment] = mapped_column(server_default=func.now(), onupdate=func.now(), sort_order=12)

    @property
    def tenant(self) -> UUID | None:
        """The workspace it belongs to; None for what belongs to everybody."""
        return None


class TenantOwned(Versioned):
    """Mixin of mapped aggregates that belong to one workspace."""

    tenant_id: Mapped[UUID] = mapped_column(sort_order=-9)

    @property
    def tenant(self) -> UUID | None:
        """The workspace it belongs to."""
        return self.tenant_id
