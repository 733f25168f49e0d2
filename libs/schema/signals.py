"""What do signals tell? The life of strategies, and what they want to trade."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from libs.schema.event import DomainEvent
from libs.schema.values import (
    Confidence,
    Price,
    Quantity,
    Ratio,
    SignalType,
    SignedQuantity,
    Symbol,
    Timeframe,
    UtcDatetime,
)


class StrategyStatus(StrEnum):
    """Whether a strategy looks at bars."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    DELETED = "DELETED"


class StrategyChanged(DomainEvent, topic="signals.v1", key="strategy_id"):
    """A strategy was created, paused, resumed or deleted, by a person or by the plan."""

    strategy_id: UUID
    name: str
    kind: str
    symbol: Symbol
    timeframe: Timeframe
    status: StrategyStatus
    reason: str | None = None
    """A slug where no person did it: `strategy-limit-reached` when the plan allows no more strategies at work."""


class SignalGenerated(DomainEvent, topic="signals.v1", key="strategy_id"):
    """A strategy changed what it wants, at a bar's close (`occurred_at`)."""

    signal_id: UUID
    strategy_id: UUID
    strategy_name: str
    symbol: Symbol
    timeframe: Timeframe
    signal_type: SignalType
    quantity: Quantity
    """How much the strategy asks to trade; a reversal asks for the sum of both positions."""
    target_position: SignedQuantity
    """What the strategy wants to hold afterwards."""
    confidence: Confidence
    entry_price: Price
    """The close at which the signal was decided."""
    target_price: Price | None = None
    stop_loss: Price | None = None
    valid_until: UtcDatetime | None = None
    indicators: dict[str, Ratio]
    """The values behind the decision, by name."""


class BacktestCompleted(DomainEvent, topic="signals.v1", key="backtest_id"):
    """A strategy was run over past bars."""

    backtest_id: UUID
    strategy_id: UUID | None = None
    symbol: Symbol
    timeframe: Timeframe
    trades: int
    total_return: Ratio
