"""What is an invitation? A workspace's word to one address, good for one person, once, for a while."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.model import Moment, TenantOwned
from libs.schema.auth import MailRequested, MailTemplate
from libs.schema.event import DomainEvent
from services.auth.model.metadata import Base
from services.auth.model.roles import one_of
from services.auth.model.user import User


class InvitationState(StrEnum):
    """What became of an invitation."""

    PENDING = "PENDING"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    REVOKED = "REVOKED"
    REPLACED = "REPLACED"
    """By a newer one to the same address."""


class Unacceptable(StrEnum):
    """Why somebody can't accept an invitation. Whoever it is not for learns nothing but the first."""

    NOT_THEIRS = "NOT_THEIRS"
    UNVERIFIED = "UNVERIFIED"
    """It may be theirs: they have not shown yet that the address is."""
    USED = "USED"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    MEMBER = "MEMBER"
    """They are a member already."""


_SETTLED = {
    InvitationState.ACCEPTED: Unacceptable.USED,
    InvitationState.DECLINED: Unacceptable.USED,
    InvitationState.REVOKED: Unacceptable.REVOKED,
    InvitationState.REPLACED: Unacceptable.REVOKED,
}


class Invitation(TenantOwned, Base):
    """What a workspace offers to whoever has an address. Of the secret in the mail only the hash is kept."""

    __tablename__ = "invitation"
    __table_args__ = (
        UniqueConstraint("token_hash", name="invitation_token_hash"),
        CheckConstraint("role IN ('VIEWER', 'ANALYST', 'TRADER')", name="invitation_role"),
        CheckConstraint(one_of("state", InvitationState), name="invitation_state"),
        CheckConstraint("(state = 'PENDING') = (settled_at IS NULL)", name="invitation_settled"),
        Index("invitation_pending", "tenant_id", "email_key", unique=True, postgresql_where=text("state = 'PENDING'")),
        Index("invitation_to", "email_key"),
    )

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("auth.workspace.id"), sort_order=-9)
    workspace_name: Mapped[str]
    """As the workspace was called then: whoever is no member can't see what it is called now."""
    email: Mapped[str]
    email_key: Mapped[str]
    role: Mapped[str]
    invited_by: Mapped[UUID] = mapped_column(ForeignKey("auth.user.id"))
    token_hash: Mapped[bytes]
    state: Mapped[str]
    expires_at: Mapped[Moment]
    settled_at: Mapped[Moment | None]
    settled_by: Mapped[UUID | None]

    def send(self, inviter: User, at: datetime) -> list[DomainEvent]:
        """Ask for the mail. Its language is the inviter's: nobody knows that of the invited."""
        return [
            MailRequested(
                occurred_at=at,
                mail_id=self.id,
                user_id=inviter.id,
                workspace_id=self.tenant_id,
                address=self.email,
                template=MailTemplate.INVITATION,
                language=inviter.language,
                expires_at=self.expires_at,
                workspace_name=self.workspace_name,
            )
        ]

    def objection(self, user: User, at: datetime) -> Unacceptable | None:
        """Why this person can't accept it now; None when they can."""
        if user.email_key != self.email_key or not user.is_present:
            return Unacceptable.NOT_THEIRS
        if not user.email_verified:
            return Unacceptable.UNVERIFIED
        if self.state != InvitationState.PENDING:
            return _SETTLED[InvitationState(self.state)]
        return Unacceptable.EXPIRED if self.expires_at <= at else None

    def settle(self, state: InvitationState, by: UUID, at: datetime) -> None:
        """It is over. Raises ValueError when it was before."""
        if self.state != InvitationState.PENDING:
            raise ValueError(f"the invitation {self.id} is {self.state} already")
        self.state, self.settled_by, self.settled_at = state, by, at
