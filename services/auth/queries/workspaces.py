"""What can be read of workspaces? Those that a person is in, and who is in one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import select, tuple_

from libs.kit.db import Tx
from libs.kit.errors import NotFound
from libs.kit.http.pagination import PageRequest
from services.auth.model import Membership, Role, User, Workspace
from services.auth.repository.users import ask_as


@dataclass(frozen=True, slots=True)
class Seat:
    """A workspace, and what a person is in it."""

    workspace: Workspace
    role: Role
    since: datetime


@dataclass(frozen=True, slots=True)
class Member:
    """A person, and what they are in a workspace."""

    user: User
    role: Role
    since: datetime


async def seats(tx: Tx, user_id: UUID, page: PageRequest) -> Sequence[Seat]:
    """The workspaces that a person is in, the one that they joined last first; one more than the page holds."""
    await ask_as(tx, user_id)
    statement = (
        select(Workspace, Membership)
        .join(Membership, Membership.tenant_id == Workspace.id)
        .where(Membership.user_id == user_id)
    )
    if page.after is not None:
        statement = statement.where(tuple_(Membership.created_at, Workspace.id) < (page.after.at, page.after.id))
    newest = statement.order_by(Membership.created_at.desc(), Workspace.id.desc()).limit(page.limit + 1)
    rows = cast("Sequence[tuple[Workspace, Membership]]", (await tx.execute(newest)).all())
    return [Seat(workspace, Role(member.role), member.created_at) for workspace, member in rows]


async def seat(tx: Tx, user_id: UUID, workspace_id: UUID) -> Seat:
    """What a person is in the workspace that `tx` is a transaction of. Raises NotFound when they are no member."""
    workspace = await tx.scalar(select(Workspace).where(Workspace.id == workspace_id))
    member = await tx.scalar(
        select(Membership).where(Membership.tenant_id == workspace_id, Membership.user_id == user_id)
    )
    if workspace is None or member is None:
        raise NotFound("workspace", workspace_id)
    return Seat(workspace, Role(member.role), member.created_at)


async def members(tx: Tx, workspace_id: UUID, page: PageRequest) -> Sequence[Member]:
    """Who is in a workspace, whoever joined last first; one more than the page holds."""
    statement = (
        select(User, Membership)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.tenant_id == workspace_id)
    )
    if page.after is not None:
        statement = statement.where(tuple_(Membership.created_at, User.id) < (page.after.at, page.after.id))
    newest = statement.order_by(Membership.created_at.desc(), User.id.desc()).limit(page.limit + 1)
    rows = cast("Sequence[tuple[User, Membership]]", (await tx.execute(newest)).all())
    return [Member(user, Role(member.role), member.created_at) for user, member in rows]


async def owned_beyond_home(tx: Tx, user_id: UUID, home_id: UUID) -> Sequence[UUID]:
    """The workspaces that a person owns beside their personal one, whichever the transaction's is."""
    await ask_as(tx, user_id)
    return await tx.scalars(
        select(Workspace.id).where(Workspace.owner_id == user_id, Workspace.id != home_id).order_by(Workspace.id)
    )
