"""When may staff act in a workspace? Its owner says who, for what, as what and until when, and can take it back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Uuid
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.model import Moment, TenantOwned
from libs.schema.auth import AccessRevoked, SupportEntered
from services.auth.model.metadata import Base
from services.auth.model.roles import HELPERS, PlatformRole, one_of
from services.auth.model.user import User


class SupportAccess(StrEnum):
    """As what an owner lets support in."""

    READ = "READ"
    """To look at what viewers see."""
    TRADE = "TRADE"
    """To trade as well: accounts, orders and strategies."""


# Said in full, so that a scope which a member's role gets one day is not support's by accident.
_READ = frozenset({
    "marketdata:read", "strategies:read", "signals:read", "orders:read", "accounts:read", "portfolio:read",
    "billing:read", "notifications:read",
})  # fmt: skip

SCOPES_OF_ACCESS: Mapping[SupportAccess, frozenset[str]] = MappingProxyType({
    SupportAccess.READ: _READ,
    SupportAccess.TRADE: _READ | {"strategies:write", "orders:write", "accounts:write"},
})  # fmt: skip


class SupportGrant(TenantOwned, Base):
    """An owner's word that support may come into the workspace for a while."""

    __tablename__ = "support_grant"
    __table_args__ = (
        CheckConstraint(one_of("access", SupportAccess), name="support_grant_access"),
        Index("support_grant_tenant", "tenant_id", "id"),
        Index("support_grant_staff", "staff_id", "id"),
    )

    granted_by: Mapped[UUID] = mapped_column(ForeignKey("auth.user.id"))
    staff_id: Mapped[UUID | None] = mapped_column(ForeignKey("auth.user.id"))
    """The one who may come; None for everybody of the role SUPPORT."""
    access: Mapped[str]
    reason: Mapped[str]
    expires_at: Mapped[Moment]
    revoked_at: Mapped[Moment | None]
    used_at: Mapped[Moment | None]
    """When somebody last got a token by it."""
    entered_by: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    """Everybody who got one."""

    def is_live(self, at: datetime) -> bool:
        """Whether anybody can come by it."""
        return self.revoked_at is None and at < self.expires_at

    def admits(self, staff: User, at: datetime) -> bool:
        """Whether it is meant for somebody, as what they are now."""
        role = PlatformRole(staff.platform_role)
        if not staff.may_be_acted_for(at) or role not in HELPERS:
            return False
        return role is PlatformRole.SUPPORT if self.staff_id is None else self.staff_id == staff.id

    def enter(self, staff_id: UUID, at: datetime) -> list[SupportEntered]:
        """Somebody comes by it, for the first time or once more."""
        self.used_at = at
        if staff_id in self.entered_by:
            return []
        self.entered_by = [*self.entered_by, staff_id]
        return [
            SupportEntered(
                occurred_at=at,
                grant_id=self.id,
                user_id=staff_id,
                workspace_id=self.tenant_id,
                on_behalf_of=self.granted_by,
            )
        ]

    def revoke(self, at: datetime) -> list[AccessRevoked]:
        """Let nobody come by it any more, and end what those can do who came: their tokens name it as their session."""
        self.revoked_at = at
        return [
            AccessRevoked(
                occurred_at=at, user_id=staff_id, session_id=self.id, workspace_id=self.tenant_id, issued_before=at
            )
            for staff_id in self.entered_by
        ]
