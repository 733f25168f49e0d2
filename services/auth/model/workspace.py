"""What is a workspace? The tenant, its owner, and who is what in it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, PrimaryKeyConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.model import Moment, TenantOwned
from libs.schema.auth import UserRegistered
from services.auth.model.metadata import Base
from services.auth.model.roles import Role, one_of
from services.auth.model.user import User


class Workspace(TenantOwned, Base):
    """The tenant that all other rows of a workspace name."""

    __tablename__ = "workspace"
    __table_args__ = (CheckConstraint("id = tenant_id", name="workspace_is_its_tenant"),)

    name: Mapped[str]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("auth.user.id"))

    def welcome(self, owner: User, at: datetime) -> list[UserRegistered]:
        """Tell that a person registered and this workspace was made for them."""
        return [
            UserRegistered(
                occurred_at=at,
                user_id=owner.id,
                workspace_id=self.id,
                email=owner.email,
                first_name=owner.first_name,
                last_name=owner.last_name,
            )
        ]


class Membership(Base):
    """A user's part in a workspace."""

    __tablename__ = "membership"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "user_id", name="membership_pkey"),
        CheckConstraint(one_of("role", Role), name="membership_role"),
        Index("membership_user", "user_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("auth.workspace.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.user.id"))
    role: Mapped[str]
    created_at: Mapped[Moment] = mapped_column(server_default=func.now())
