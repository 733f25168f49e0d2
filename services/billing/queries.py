"""What can be read? Plans, a workspace's subscription, and the plan whose rights it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from libs.kit.db import Tx
from libs.kit.errors import NotFound
from services.billing import repository
from services.billing.model import FALLBACK_PLAN, Plan, Subscription


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A subscription and the plan that it is for."""

    subscription: Subscription
    plan: Plan


async def plans(tx: Tx) -> Sequence[Plan]:
    """The plans on offer, in the order in which they are shown."""
    return await tx.scalars(select(Plan).where(Plan.is_active).order_by(Plan.sort_order, Plan.name))


async def subscription(tx: Tx, workspace_id: UUID) -> Subscribed:
    """The workspace's subscription. Raises NotFound before the trial has started."""
    found = await tx.scalar(select(Subscription).where(Subscription.tenant_id == workspace_id))
    plan = None if found is None else await tx.scalar(select(Plan).where(Plan.id == found.plan_id))
    if found is None or plan is None:
        raise NotFound("subscription of workspace", workspace_id)
    return Subscribed(found, plan)


async def entitling_plan(tx: Tx, workspace_id: UUID) -> Plan:
    """The plan whose rights the workspace has: its subscription's, or else the one that everybody has."""
    found = await tx.scalar(select(Subscription).where(Subscription.tenant_id == workspace_id))
    if found is None or not found.is_entitled:
        return await repository.plan(tx, FALLBACK_PLAN)
    return (await subscription(tx, workspace_id)).plan
