"""What can be read of people? Who they are here, where their home is, and what a password is checked against."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from libs.kit.db import Tx
from libs.kit.errors import NotFound
from services.auth.model import STAFF, MailedToken, Membership, Role, Tier, User, Workspace
from services.auth.model.mailed_token import Purpose
from services.auth.repository import users
from services.auth.repository.users import Credentials
from services.auth.tokens import Ticket


@dataclass(frozen=True, slots=True)
class Profile:
    """A user in one of their workspaces."""

    user: User
    workspace: Workspace
    role: Role
    tier: str | None
    """The plan that the workspace is on; None before billing has said anything."""

    @property
    def second_factor_required(self) -> bool:
        """Whether their role, or the workspace, counts only with a second factor."""
        return self.user.platform_role in STAFF or self.workspace.second_factor_required


async def credentials(tx: Tx, email: str) -> Credentials | None:
    """What to check a password against, or None when nobody has this address."""
    user = await users.find_user(tx, email)
    if user is None:
        return None
    return Credentials(user.id, user.default_workspace_id, user.password_hash, user.password_changed_at)


async def person(tx: Tx, user_id: UUID) -> User | None:
    """The user, or None when nobody of this id may act."""
    user = await tx.scalar(select(User).where(User.id == user_id))
    return user if user is not None and user.is_present else None


async def profile(tx: Tx, user_id: UUID, workspace_id: UUID) -> Profile | None:
    """The user, in the workspace that `tx` is a transaction of; None for whoever may not act there. In one statement."""
    row = await tx.row(
        select(User, Workspace, Membership.role, Tier.plan)
        .join(Membership, Membership.user_id == User.id)
        .join(Workspace, Workspace.id == Membership.tenant_id)
        .outerjoin(Tier, Tier.tenant_id == Workspace.id)
        .where(User.id == user_id, Membership.tenant_id == workspace_id)
    )
    if row is None or not row[0].is_present:
        return None
    user, workspace, role, plan = row
    return Profile(user, workspace, Role(role), plan)


async def home_of(tx: Tx, user_id: UUID) -> UUID:
    """The personal workspace that registration made for a person. Raises NotFound when they may not act."""
    user = await person(tx, user_id)
    if user is None:
        raise NotFound("user", user_id)
    return user.default_workspace_id


async def mailed_owner(tx: Tx, presented: Ticket, purpose: Purpose) -> User | None:
    """Who was sent a token that works now for this purpose, or None. The token is not used up."""
    token = await tx.scalar(
        select(MailedToken).where(
            MailedToken.token_hash == presented.digest,
            MailedToken.purpose == purpose,
            MailedToken.used_at.is_(None),
            MailedToken.expires_at > tx.now,
        )
    )
    return None if token is None else await person(tx, token.user_id)
