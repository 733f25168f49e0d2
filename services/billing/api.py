"""Who asked over HTTP? People who want to know what there is to buy, what they have and what they may do."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

from fastapi import Depends
from pydantic import BaseModel, ConfigDict

from libs.kit.http.app import Db
from libs.kit.http.pagination import Page
from libs.kit.http.routes import Router
from libs.kit.security import Caller, requires
from libs.schema.billing import SubscriptionStatus
from libs.schema.values import Amount, Currency, UtcDatetime
from services.billing import queries
from services.billing.model import Plan

router = Router()

Reader = Annotated[Caller, Depends(requires("billing:read"))]


class PlanOut(BaseModel):
    """A plan: what it costs and what it allows."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    description: str
    price_monthly: Amount
    price_yearly: Amount | None
    currency: Currency
    features: list[str]
    max_bots: int
    max_strategies: int
    ai_requests_per_month: int
    backtest_minutes_per_month: int
    priority_support: bool
    custom_strategies: bool
    api_access: bool
    auto_trading: bool

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """The plan as clients see it."""
        return cls.model_validate(plan)


class SubscriptionOut(BaseModel):
    """The caller's subscription. After a trial it stays, EXPIRED, and the rights are those of Free."""

    id: UUID
    plan: str
    status: SubscriptionStatus
    current_period_start: UtcDatetime
    current_period_end: UtcDatetime
    trial_ends_at: UtcDatetime | None
    auto_renew: bool
    cancelled_at: UtcDatetime | None

    @classmethod
    def of(cls, subscribed: queries.Subscribed) -> Self:
        """The subscription as its workspace sees it."""
        subscription = subscribed.subscription
        return cls(
            id=subscription.id,
            plan=subscribed.plan.name,
            status=SubscriptionStatus(subscription.status),
            current_period_start=subscription.current_period_start,
            current_period_end=subscription.current_period_end,
            trial_ends_at=subscription.trial_ends_at,
            auto_renew=subscription.auto_renew,
            cancelled_at=subscription.cancelled_at,
        )


class EntitlementsOut(BaseModel):
    """What the caller's workspace may do, as EntitlementsChanged told the other services."""

    plan: str
    max_strategies: int
    auto_trading: bool

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """What a plan allows."""
        return cls(plan=plan.name, max_strategies=plan.max_strategies, auto_trading=plan.auto_trading)


@router.get("/v1/plans")
async def plans(_caller: Reader, db: Db) -> Page[PlanOut]:
    """The plans on offer, all on one page, the cheapest first."""
    async with db.public() as tx:
        return Page(items=[PlanOut.of(plan) for plan in await queries.plans(tx)])


@router.get("/v1/subscription")
async def subscription(caller: Reader, db: Db) -> SubscriptionOut:
    """The workspace's subscription; 404 in the moments before a new workspace's trial starts."""
    async with db.transaction(caller.tenant_id) as tx:
        return SubscriptionOut.of(await queries.subscription(tx, caller.tenant_id))


@router.get("/v1/entitlements")
async def entitlements(caller: Reader, db: Db) -> EntitlementsOut:
    """What the workspace may do."""
    async with db.transaction(caller.tenant_id) as tx:
        return EntitlementsOut.of(await queries.entitling_plan(tx, caller.tenant_id))
