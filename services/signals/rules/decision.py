"""What does a rule say about a bar? What it wants, and the change that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from libs.schema.values import SignalType
from services.signals.rules.bar import Bar
from services.signals.rules.parameters import RuleParameters
from services.signals.rules.stance import SIGNAL_TYPES, Stance

VALIDITY = timedelta(days=7)
"""How long a signal holds after its bar's close: the next bar may be days away, across a weekend and holidays."""

_HALF = Decimal("0.5")
_CONFIDENCE = Decimal("0.0001")
_INDICATOR = Decimal("0.000000000001")
_PRICE = Decimal("0.00000001")
_PRICE_LIMIT = Decimal(10) ** 12


@dataclass(frozen=True, slots=True)
class Want:
    """What a rule wants after a bar, whether or not it wanted the same before."""

    stance: Stance
    strength: Decimal
    """How far beyond its threshold the bar went, zero or more; each kind says what 1 means."""
    indicators: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Decision:
    """A change of stance, decided at a bar's close."""

    previous: Stance
    stance: Stance
    decided_at: datetime
    valid_until: datetime
    confidence: Decimal
    """0.5 at the threshold, rising with the strength to 1 where the strength is 1 or more; four decimals."""
    entry_price: Decimal
    """The close on which it was decided."""
    target_price: Decimal | None
    stop_loss: Decimal | None
    indicators: Mapping[str, Decimal]
    """The values behind it, by name, with twelve decimals."""

    @property
    def signal_type(self) -> SignalType:
        """What the change is called."""
        return SIGNAL_TYPES[self.previous, self.stance]

    def quantity(self, size: Decimal) -> Decimal:
        """What a strategy of this size trades: |target - current|, so that a reversal trades twice the size."""
        return size * abs(self.stance.sign - self.previous.sign)

    def target_position(self, size: Decimal) -> Decimal:
        """What a strategy of this size wants to hold afterwards, negative when short."""
        return size * self.stance.sign


def decide(parameters: RuleParameters, previous: Stance, want: Want, bar: Bar) -> Decision:
    """The decision to change from `previous` to what is wanted, on this bar's close."""
    return Decision(
        previous=previous,
        stance=want.stance,
        decided_at=bar.close_time,
        valid_until=bar.close_time + VALIDITY,
        confidence=(_HALF + _HALF * min(want.strength, Decimal(1))).quantize(_CONFIDENCE, ROUND_HALF_EVEN),
        entry_price=bar.close,
        target_price=_level(bar.close, want.stance.sign, parameters.take_profit_pct),
        stop_loss=_level(bar.close, -want.stance.sign, parameters.stop_loss_pct),
        indicators={name: value.quantize(_INDICATOR, ROUND_HALF_EVEN) for name, value in want.indicators.items()},
    )


def _level(price: Decimal, direction: int, percentage: Decimal | None) -> Decimal | None:
    """The price that lies `percentage` above (1) or below (-1) `price`; None when flat (0) or not a valid price."""
    if percentage is None or direction == 0:
        return None
    level = (price * (1 + direction * percentage / 100)).quantize(_PRICE, ROUND_HALF_EVEN)
    return level if 0 < level < _PRICE_LIMIT else None
