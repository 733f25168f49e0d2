"""What can be read of support grants? A workspace's for its owner, and for staff the doors that stand open to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select, tuple_

from libs.kit.db import Tx
from libs.kit.http.pagination import PageRequest, Position
from services.auth.model import PlatformRole, SupportGrant, User
from services.auth.queries.people import person
from services.auth.repository.users import ask_as


@dataclass(frozen=True, slots=True)
class Door:
    """A grant that somebody may try to come by, and where it leads."""

    grant_id: UUID
    workspace_id: UUID


def place(grant: SupportGrant) -> Position:
    """Where a grant stands in a list."""
    return Position(grant.created_at, grant.id)


async def grants(tx: Tx, workspace_id: UUID, page: PageRequest) -> Sequence[SupportGrant]:
    """All that the workspace's owners ever gave, the newest first, and one more than the page holds."""
    return await _newest(tx, page, SupportGrant.tenant_id == workspace_id)


async def open_grants(tx: Tx, staff_id: UUID, page: PageRequest) -> Sequence[SupportGrant]:
    """The live grants of all workspaces that are for somebody, the newest first, and one more than the page holds.

    `tx` is a public transaction: row-level security shows in it what is for them, and nothing else.
    """
    staff = await person(tx, staff_id)
    if staff is None:
        return []
    await ask_as(tx, staff_id)
    return await _newest(tx, page, _is_for(staff), SupportGrant.revoked_at.is_(None), SupportGrant.expires_at > tx.now)


async def door(tx: Tx, staff_id: UUID, workspace_id: UUID, grant_id: UUID | None) -> Door | None:
    """The grant of a workspace that somebody names, or of those that are for them the one that lasts longest.

    `tx` is a public transaction. Whether the grant still counts is for whoever holds its lock to say.
    """
    staff = await person(tx, staff_id)
    if staff is None:
        return None
    await ask_as(tx, staff_id)
    wanted = select(SupportGrant).where(
        _is_for(staff), SupportGrant.tenant_id == workspace_id, SupportGrant.revoked_at.is_(None)
    )
    if grant_id is not None:
        wanted = wanted.where(SupportGrant.id == grant_id)
    found = await tx.scalar(wanted.order_by(SupportGrant.expires_at.desc(), SupportGrant.id).limit(1))
    return None if found is None else Door(found.id, found.tenant_id)


def _is_for(staff: User) -> ColumnElement[bool]:
    named = SupportGrant.staff_id == staff.id
    if staff.platform_role != PlatformRole.SUPPORT:
        return named
    return or_(named, SupportGrant.staff_id.is_(None))


async def _newest(tx: Tx, page: PageRequest, *conditions: ColumnElement[bool]) -> Sequence[SupportGrant]:
    statement = select(SupportGrant).where(and_(*conditions))
    if page.after is not None:
        statement = statement.where(tuple_(SupportGrant.created_at, SupportGrant.id) < (page.after.at, page.after.id))
    order = SupportGrant.created_at.desc(), SupportGrant.id.desc()
    return await tx.scalars(statement.order_by(*order).limit(page.limit + 1))
