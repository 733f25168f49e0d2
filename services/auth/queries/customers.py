"""What can be read of customers? By whoever brought them: codes that they gave, and who came with one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import aliased

from libs.kit.db import Tx
from libs.kit.http.pagination import PageRequest
from services.auth.model import BRINGERS, ReferralCode, Tier, User
from services.auth.repository.users import ask_as


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody who was brought."""

    user: User
    tier: str | None
    """The plan that their home is on, as billing says it."""


async def codes(tx: Tx, user_id: UUID, page: PageRequest) -> Sequence[ReferralCode]:
    """The codes of a person, the newest first, and one more than the page holds."""
    statement = select(ReferralCode).where(ReferralCode.user_id == user_id)
    if page.after is not None:
        statement = statement.where(tuple_(ReferralCode.created_at, ReferralCode.id) < (page.after.at, page.after.id))
    order = ReferralCode.created_at.desc(), ReferralCode.id.desc()
    return await tx.scalars(statement.order_by(*order).limit(page.limit + 1))


async def customers(tx: Tx, bringer_id: UUID, page: PageRequest) -> Sequence[Customer]:
    """Whom a person brought, the newest first, and one more than the page holds; nobody once they bring nobody."""
    bringer = aliased(User)
    statement = (
        select(User)
        .join(bringer, bringer.id == bringer_id)
        .where(bringer.platform_role.in_(BRINGERS), User.deleted_at.is_(None))
        .where(User.brought_by == bringer_id)
    )
    if page.after is not None:
        statement = statement.where(tuple_(User.created_at, User.id) < (page.after.at, page.after.id))
    ordered = statement.order_by(User.created_at.desc(), User.id.desc()).limit(page.limit + 1)
    found = await tx.scalars(ordered)
    plans = await _plans(tx, bringer_id, [user.default_workspace_id for user in found])
    return [Customer(user, plans.get(user.default_workspace_id)) for user in found]


async def _plans(tx: Tx, bringer_id: UUID, homes: Sequence[UUID]) -> dict[UUID, str]:
    # Tiers are rows of other workspaces: the database shows those of whom one brought.
    await ask_as(tx, bringer_id)
    return {tier.tenant_id: tier.plan for tier in await tx.scalars(select(Tier).where(Tier.tenant_id.in_(homes)))}
