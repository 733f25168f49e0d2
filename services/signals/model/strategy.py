"""What may be done with a strategy?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import BigInteger, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.errors import Conflict, Forbidden
from libs.kit.ids import uuid7
from libs.kit.model import Moment, Money, TenantOwned
from libs.schema.event import Cause
from libs.schema.signals import StrategyChanged, StrategyStatus
from libs.schema.values import Symbol, Timeframe
from services.signals.model.json_column import JsonOf
from services.signals.model.metadata import Base
from services.signals.rules import PARAMETERS, RULE_STATE, Parameters, RuleState, Stance, start

_ACTIVE, _PAUSED, _DELETED = StrategyStatus.ACTIVE, StrategyStatus.PAUSED, StrategyStatus.DELETED
TRANSITIONS: Mapping[StrategyStatus, frozenset[StrategyStatus]] = MappingProxyType(
    {
        _ACTIVE: frozenset({_PAUSED, _DELETED}),
        _PAUSED: frozenset({_ACTIVE, _DELETED}),
        _DELETED: frozenset(),
    }
)
"""What a strategy's status may become."""
LIMIT_REACHED = "strategy-limit-reached"
"""Why a plan refuses a strategy, or pauses it."""


@dataclass(frozen=True, slots=True)
class StrategyDraft:
    """A strategy as somebody wants it."""

    name: str
    description: str
    symbol: Symbol
    timeframe: Timeframe
    size: Decimal
    """How much one full position is."""
    parameters: Parameters


class Strategy(TenantOwned, Base):
    """A rule with its numbers, applied to one instrument for one workspace."""

    __tablename__ = "strategy"
    __table_args__ = (
        Index("strategy_tenant", "tenant_id", "created_at", "id"),
        Index("strategy_series", "symbol", "timeframe", postgresql_where=text("status = 'ACTIVE'")),
    )

    user_id: Mapped[UUID]
    name: Mapped[str]
    description: Mapped[str]
    symbol: Mapped[str]
    timeframe: Mapped[str]
    size: Mapped[Money]
    status: Mapped[str]
    parameters: Mapped[Parameters] = mapped_column(JsonOf(PARAMETERS))
    state: Mapped[RuleState] = mapped_column(JsonOf(RULE_STATE))
    last_bar_time: Mapped[Moment | None]
    """The open time of the last bar that it looked at."""

    @property
    def stance(self) -> Stance:
        """What it wants to hold."""
        return self.state.stance

    @classmethod
    def create(cls, draft: StrategyDraft, tenant_id: UUID, user_id: UUID) -> Strategy:
        """A new strategy: active, flat, with nothing seen."""
        return cls(
            id=uuid7(),
            tenant_id=tenant_id,
            user_id=user_id,
            version=0,
            name=draft.name,
            description=draft.description,
            symbol=draft.symbol,
            timeframe=draft.timeframe,
            size=draft.size,
            status=_ACTIVE,
            parameters=draft.parameters,
            state=start(draft.parameters),
        )

    def move_to(self, status: StrategyStatus, at: datetime) -> list[StrategyChanged]:
        """Pause, resume or delete. Raises Conflict when that is not possible from where it stands."""
        if status not in TRANSITIONS[StrategyStatus(self.status)]:
            raise Conflict(f"the strategy is {self.status} and can't become {status}", slug="illegal-transition")
        self.status = status
        return self.changed(at)

    def pause_for_plan(self, at: datetime) -> list[StrategyChanged]:
        """Pause what the plan does not allow any more. Raises Conflict when the strategy is not at work."""
        return [changed.model_copy(update={"reason": LIMIT_REACHED}) for changed in self.move_to(_PAUSED, at)]

    def changed(self, at: datetime) -> list[StrategyChanged]:
        """Tell how the strategy stands."""
        return [
            StrategyChanged(
                occurred_at=at,
                strategy_id=self.id,
                name=self.name,
                kind=self.parameters.kind,
                symbol=self.symbol,
                timeframe=Timeframe(self.timeframe),
                status=StrategyStatus(self.status),
            )
        ]


class Entitlements(Base):
    """Billing's word on what a workspace may do, as far as it concerns signals."""

    __tablename__ = "entitlements"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    plan: Mapped[str]
    max_strategies: Mapped[int] = mapped_column(BigInteger)
    sequence: Mapped[int] = mapped_column(BigInteger)
    """Of the event that said so; an older one changes nothing."""

    def allow_one_more(self, strategies: int) -> None:
        """Raises Forbidden when the workspace has all the strategies that its plan allows."""
        if strategies >= self.max_strategies:
            raise Forbidden(
                f"the plan {self.plan} allows {self.max_strategies} strategies and this workspace has {strategies}: "
                "delete one or change the plan",
                slug=LIMIT_REACHED,
            )

    def allow_one_more_at_work(self, active: int) -> None:
        """Raises Forbidden when as many strategies are at work as the plan allows."""
        if active >= self.max_strategies:
            raise Forbidden(
                f"the plan {self.plan} allows {self.max_strategies} strategies and {active} are at work: "
                "pause one or change the plan",
                slug=LIMIT_REACHED,
            )


@dataclass(frozen=True, slots=True)
class ToldEntitlements:
    """What a workspace may do, and the event that said so."""

    entitlements: Entitlements
    at: datetime
    cause: Cause
    """What to give to all that follows from it."""

    @property
    def tenant_id(self) -> UUID:
        """The workspace."""
        return self.entitlements.tenant_id

    @property
    def sequence(self) -> int:
        """Of the event."""
        return self.entitlements.sequence
