"""What does a strategy do with a bar, and what is a signal?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import ForeignKey, Index, Numeric, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.ids import uuid7
from libs.kit.model import Moment, Money
from libs.schema.event import Cause
from libs.schema.signals import SignalGenerated
from libs.schema.values import SignalType, Timeframe
from services.signals.model.json_column import JsonOf
from services.signals.model.metadata import Base
from services.signals.rules import Bar, Decision, Parameters, RuleState, step, warm_up


class Signal(Base):
    """A change of what a strategy wants, decided at a bar's close."""

    __tablename__ = "signal"
    __table_args__ = (
        UniqueConstraint("strategy_id", "occurred_at", name="signal_strategy_time"),
        Index("signal_tenant_time", "tenant_id", "occurred_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    strategy_id: Mapped[UUID] = mapped_column(ForeignKey("signals.strategy.id"))
    strategy_name: Mapped[str]
    symbol: Mapped[str]
    timeframe: Mapped[str]
    signal_type: Mapped[str]
    quantity: Mapped[Money]
    target_position: Mapped[Money]
    confidence: Mapped[Decimal] = mapped_column(Numeric(5, 4))
    entry_price: Mapped[Money]
    target_price: Mapped[Money | None]
    stop_loss: Mapped[Money | None]
    valid_until: Mapped[Moment]
    indicators: Mapped[dict[str, Decimal]] = mapped_column(JsonOf(TypeAdapter(dict[str, Decimal])))
    occurred_at: Mapped[Moment]
    """The close of the bar that it was decided on."""
    caused_by: Mapped[UUID]
    """The event that told of that bar."""
    created_at: Mapped[Moment] = mapped_column(server_default=func.now())

    def generated(self) -> SignalGenerated:
        """Tell of the signal."""
        return SignalGenerated(
            occurred_at=self.occurred_at,
            signal_id=self.id,
            strategy_id=self.strategy_id,
            strategy_name=self.strategy_name,
            symbol=self.symbol,
            timeframe=Timeframe(self.timeframe),
            signal_type=SignalType(self.signal_type),
            quantity=self.quantity,
            target_position=self.target_position,
            confidence=self.confidence,
            entry_price=self.entry_price,
            target_price=self.target_price,
            stop_loss=self.stop_loss,
            valid_until=self.valid_until,
            indicators=self.indicators,
        )


@dataclass(frozen=True, slots=True)
class ClosedBar:
    """A bar, and the event that told of it."""

    bar: Bar
    event_id: UUID
    cause: Cause
    """What to give to all that follows from it."""
    backfilled: bool
    """Whether it is imported history, on which nothing is decided."""


@dataclass(slots=True)
class LiveStrategy:
    """An active strategy as the bars see it: what the hot path loads, moves on in memory and saves."""

    id: UUID
    tenant_id: UUID
    version: int
    name: str
    size: Decimal
    parameters: Parameters
    state: RuleState
    last_bar_time: datetime | None

    @property
    def tenant(self) -> UUID:
        """The workspace it belongs to."""
        return self.tenant_id

    def take(self, closed: ClosedBar) -> Signal | None:
        """Look at one bar of the strategy's instrument; a bar that is not newer than the last one is ignored.

        Imported history warms the rule up.
        """
        bar = closed.bar
        if self.last_bar_time is not None and bar.open_time <= self.last_bar_time:
            return None
        if closed.backfilled:
            self.state, self.last_bar_time = warm_up(self.parameters, self.state, bar), bar.open_time
            return None
        self.state, decision = step(self.parameters, self.state, bar)
        self.last_bar_time = bar.open_time
        return self._signal(decision, closed) if decision else None

    def _signal(self, decision: Decision, closed: ClosedBar) -> Signal:
        return Signal(
            id=uuid7(),
            tenant_id=self.tenant_id,
            strategy_id=self.id,
            strategy_name=self.name,
            symbol=closed.bar.symbol,
            timeframe=closed.bar.timeframe,
            signal_type=decision.signal_type,
            quantity=decision.quantity(self.size),
            target_position=decision.target_position(self.size),
            confidence=decision.confidence,
            entry_price=decision.entry_price,
            target_price=decision.target_price,
            stop_loss=decision.stop_loss,
            valid_until=decision.valid_until,
            indicators=dict(decision.indicators),
            occurred_at=decision.decided_at,
            caused_by=closed.event_id,
        )
