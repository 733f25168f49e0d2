"""What is held of one instrument, what did it cost, and what did closing it bring?

The cost is carried as the total of what was paid (negative: received) for what is held, never as a rounded average.
Closing q of Q releases cost * q / Q, rounded half-even to eight decimals; closing all of it releases all that is left,
so that no remainder is ever lost. Fees are no part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

_COST = Decimal("0.00000001")
_ZERO = Decimal(0)


@dataclass(slots=True)
class Holding:
    """A position at average cost, long or short."""

    quantity: Decimal = _ZERO
    """Positive long, negative short, zero flat."""
    cost: Decimal = _ZERO
    """Of the whole position before fees; has the sign of the quantity."""

    def trade(self, quantity: Decimal, price: Decimal) -> Decimal | None:
        """Add `quantity` (negative: sell) at `price`.

        Returns the profit or loss on what it closed, before fees, or None when it closed nothing. What goes beyond
        flat opens the opposite position.
        """
        closed = self._closed_by(quantity)
        realised = closed * price - self._release(closed) if closed else None
        opened = quantity + closed
        self.quantity += opened
        self.cost += opened * price
        return realised

    def unrealised(self, price: Decimal) -> Decimal:
        """The profit or loss that closing all of it at `price` would bring, before fees."""
        return self.quantity * price - self.cost

    def _closed_by(self, quantity: Decimal) -> Decimal:
        """The part of the position that trading `quantity` ends, with the sign of the position."""
        if self.quantity * quantity >= 0:
            return _ZERO
        return -quantity if abs(quantity) < abs(self.quantity) else self.quantity

    def _release(self, closed: Decimal) -> Decimal:
        """Take `closed` of the position away and return what it had cost."""
        if closed == self.quantity:
            released = self.cost
        else:
            released = (self.cost * closed / self.quantity).quantize(_COST, ROUND_HALF_EVEN)
        self.quantity -= closed
        self.cost -= released
        return released
