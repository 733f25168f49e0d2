"""What is the rule? A workspace starts with a trial of Pro; when that ends, Free is what it may still use."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, MetaData, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libs.kit.backbone import add_backbone
from libs.kit.errors import Conflict
from libs.kit.model import Moment, Money, TenantOwned
from libs.kit.personal_data.erased import add_erased_workspaces
from libs.kit.rate_limits import add_rate_limits
from libs.schema.billing import EntitlementsChanged, SubscriptionStarted, SubscriptionStatus


class Base(DeclarativeBase):
    """The tables of this context."""

    metadata = MetaData(schema="billing")


add_backbone(Base.metadata)
add_rate_limits(Base.metadata)
add_erased_workspaces(Base.metadata)


class PlanName(StrEnum):
    """The plans that rules speak of."""

    FREE = "Free"
    PRO = "Pro"
    ENTERPRISE = "Enterprise"


TRIAL_PLAN = PlanName.PRO
FALLBACK_PLAN = PlanName.FREE
FOREVER = datetime(9999, 12, 31, tzinfo=UTC)
"""When the period of what costs nothing ends."""


class Plan(Base):
    """What can be subscribed to, and what it allows. Written by migrations alone."""

    __tablename__ = "plan"
    __table_args__ = (
        UniqueConstraint("name", name="plan_name"),
        CheckConstraint("price_monthly >= 0 AND price_yearly >= 0", name="plan_price"),
        CheckConstraint("max_bots >= 0 AND max_strategies >= 0", name="plan_limits"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    description: Mapped[str]
    price_monthly: Mapped[Money]
    price_yearly: Mapped[Money | None]
    currency: Mapped[str]
    features: Mapped[list[str]] = mapped_column(JSONB)
    max_bots: Mapped[int]
    max_strategies: Mapped[int]
    ai_requests_per_month: Mapped[int]
    backtest_minutes_per_month: Mapped[int]
    priority_support: Mapped[bool]
    custom_strategies: Mapped[bool]
    api_access: Mapped[bool]
    auto_trading: Mapped[bool]
    is_active: Mapped[bool]
    sort_order: Mapped[int]
    created_at: Mapped[Moment] = mapped_column(server_default=func.now())

    def entitle(self, workspace_id: UUID, at: datetime) -> EntitlementsChanged:
        """Tell what the plan lets a workspace do from now on."""
        return EntitlementsChanged(
            occurred_at=at,
            workspace_id=workspace_id,
            plan=self.name,
            max_strategies=self.max_strategies,
            auto_trading=self.auto_trading,
        )


class Subscription(TenantOwned, Base):
    """A workspace's claim to a plan for a period. There is one for each workspace."""

    __tablename__ = "subscription"
    __table_args__ = (
        UniqueConstraint("tenant_id", name="subscription_tenant"),
        CheckConstraint("status IN ('TRIAL', 'ACTIVE', 'CANCELLED', 'EXPIRED')", name="subscription_status"),
        CheckConstraint("current_period_start <= current_period_end", name="subscription_period"),
        CheckConstraint("status <> 'TRIAL' OR trial_ends_at IS NOT NULL", name="subscription_trial_ends"),
        Index("subscription_trial_ends_at", "trial_ends_at", postgresql_where=text("status = 'TRIAL'")),
    )

    plan_id: Mapped[UUID] = mapped_column(ForeignKey("billing.plan.id"))
    status: Mapped[str]
    current_period_start: Mapped[Moment]
    current_period_end: Mapped[Moment]
    trial_ends_at: Mapped[Moment | None]
    auto_renew: Mapped[bool]
    cancelled_at: Mapped[Moment | None]

    @property
    def is_entitled(self) -> bool:
        """Whether the plan's rights hold; a cancelled subscription keeps them until its period ends."""
        return self.status != SubscriptionStatus.EXPIRED

    def start(self, plan: Plan) -> list[SubscriptionStarted | EntitlementsChanged]:
        """Tell that the subscription began and what it allows."""
        started = SubscriptionStarted(
            occurred_at=self.current_period_start,
            subscription_id=self.id,
            workspace_id=self.tenant_id,
            plan=plan.name,
            status=SubscriptionStatus(self.status),
            current_period_start=self.current_period_start,
            current_period_end=self.current_period_end,
        )
        return [started, plan.entitle(self.tenant_id, self.current_period_start)]

    def end_trial(self, fallback: Plan, now: datetime) -> list[EntitlementsChanged]:
        """Fall back to another plan's rights as of the trial's end. Raises Conflict when no trial has ended by `now`."""
        if self.status != SubscriptionStatus.TRIAL or self.trial_ends_at is None or self.trial_ends_at > now:
            raise Conflict(f"the subscription {self.id} has no trial that ended")
        self.status = SubscriptionStatus.EXPIRED
        return [fallback.entitle(self.tenant_id, self.trial_ends_at)]
