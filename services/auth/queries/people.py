"""What can be read? Who somebody is, and what a password is checked against."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select

from libs.kit.db import Tx
from libs.kit.errors import NotFound
from services.auth.model import Role, User, Workspace
from services.auth.repository import users


@dataclass(frozen=True, slots=True)
class Credentials:
    """What logging in needs to know before any workspace is known."""

    user_id: UUID
    workspace_id: UUID
    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Profile:
    """A user in one of their workspaces."""

    user: User
    workspace: Workspace
    role: Role


async def credentials(tx: Tx, email: str) -> Credentials | None:
    """What to check a password against, or None when nobody has this address."""
    user = await users.find_user(tx, email)
    return None if user is None else Credentials(user.id, user.default_workspace_id, user.password_hash)


async def profile(tx: Tx, user_id: UUID, workspace_id: UUID) -> Profile:
    """The user, in the workspace that `tx` is a transaction of. Raises NotFound."""
    member = await users.find_member(tx, user_id)
    workspace = await tx.scalar(select(Workspace).where(Workspace.id == workspace_id))
    if member is None or workspace is None:
        raise NotFound("user", user_id)
    return Profile(member.user, workspace, member.role)


async def home_of(tx: Tx, user_id: UUID) -> UUID:
    """The personal workspace that registration made for a person. Raises NotFound when they are gone or inactive."""
    home_id = await tx.scalar(select(User.default_workspace_id).where(User.id == user_id, User.is_active))
    if home_id is None:
        raise NotFound("user", user_id)
    return home_id
