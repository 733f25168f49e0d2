"""What is a workspace? The tenant, its one owner, and who is what in it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, PrimaryKeyConstraint, false, func, text
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.errors import Conflict
from libs.kit.model import Moment, TenantOwned
from libs.schema.auth import UserRegistered
from libs.schema.event import DomainEvent
from libs.schema.workspaces import (
    MemberAdded,
    MemberRemoved,
    MemberRoleChanged,
    OwnershipTransferred,
    WorkspaceCreated,
    WorkspacePolicyChanged,
    WorkspaceRenamed,
)
from services.auth.model.metadata import Base
from services.auth.model.roles import Role, one_of
from services.auth.model.user import User


class Workspace(TenantOwned, Base):
    """The tenant that all other rows of a workspace name. Its lock guards who its members are."""

    __tablename__ = "workspace"
    __table_args__ = (CheckConstraint("id = tenant_id", name="workspace_is_its_tenant"),)

    name: Mapped[str]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("auth.user.id"))
    second_factor_required: Mapped[bool] = mapped_column(default=False, server_default=false(), sort_order=20)
    """Whether a member may do nothing here in a session without a second factor."""

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
                brought_by=owner.brought_by,
            )
        ]

    def create(self, at: datetime) -> list[DomainEvent]:
        """Tell that somebody made it beside their personal one."""
        return [WorkspaceCreated(occurred_at=at, workspace_id=self.id, owner_id=self.owner_id, name=self.name)]

    def rename(self, name: str, at: datetime) -> list[DomainEvent]:
        """Be called something else."""
        if name == self.name:
            return []
        self.name = name
        return [WorkspaceRenamed(occurred_at=at, workspace_id=self.id, name=name)]

    def require_second_factor(self, required: bool, at: datetime) -> list[DomainEvent]:  # noqa: FBT001 the column's value
        """Ask its members for a second factor from now on, or no longer."""
        if required == self.second_factor_required:
            return []
        self.second_factor_required = required
        return [WorkspacePolicyChanged(occurred_at=at, workspace_id=self.id, second_factor_required=required)]

    def join(self, member: Membership, at: datetime) -> list[DomainEvent]:
        """Somebody who was invited is a member now."""
        return [MemberAdded(occurred_at=at, workspace_id=self.id, user_id=member.user_id, role=member.role)]

    def change_role(self, member: Membership, role: Role, at: datetime) -> list[DomainEvent]:
        """Let a member do more or less. Raises Conflict for the owner, and for making one."""
        self._keep_owner(member)
        if role is Role.OWNER:
            raise Conflict("a workspace has one owner: transfer it instead", slug="owner-stays")
        return self._give(member, role, at)

    def remove(self, member: Membership, at: datetime) -> list[DomainEvent]:
        """A member is one no longer; whoever holds the row deletes it. Raises Conflict for the owner."""
        self._keep_owner(member)
        return [MemberRemoved(occurred_at=at, workspace_id=self.id, user_id=member.user_id, previous_role=member.role)]

    def step_down(self, owner: Membership, at: datetime) -> list[DomainEvent]:
        """The first half of a transfer: the owner trades from now on. It has to be written before the second."""
        return self._give(owner, Role.TRADER, at)

    def step_up(self, successor: Membership, at: datetime) -> list[DomainEvent]:
        """The second half: another member owns it."""
        previous, self.owner_id = self.owner_id, successor.user_id
        transferred = OwnershipTransferred(
            occurred_at=at, workspace_id=self.id, owner_id=successor.user_id, previous_owner_id=previous
        )
        return [*self._give(successor, Role.OWNER, at), transferred]

    def _give(self, member: Membership, role: Role, at: datetime) -> list[DomainEvent]:
        previous, member.role = member.role, role
        if previous == role:
            return []
        return [
            MemberRoleChanged(
                occurred_at=at, workspace_id=self.id, user_id=member.user_id, role=role, previous_role=previous
            )
        ]

    def _keep_owner(self, member: Membership) -> None:
        if member.user_id == self.owner_id:
            raise Conflict(
                "its owner can neither leave a workspace nor be less in it: transfer it first", slug="owner-stays"
            )


class Membership(Base):
    """A user's part in a workspace."""

    __tablename__ = "membership"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "user_id", name="membership_pkey"),
        CheckConstraint(one_of("role", Role), name="membership_role"),
        Index("membership_user", "user_id"),
        Index("membership_one_owner", "tenant_id", unique=True, postgresql_where=text("role = 'OWNER'")),
    )

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("auth.workspace.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.user.id"))
    role: Mapped[str]
    created_at: Mapped[Moment] = mapped_column(server_default=func.now())
