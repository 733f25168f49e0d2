"""Says what a backtest's account can pay for, by the rules of the paper venue and with code of its own.

A decision is refused when the exposure that the pending orders may lead to, at the closes of their decisions and with
its commission, would exceed what the account is worth; what only reduces a position is never refused. A purchase at a
gap trades what the cash pays for: covering a short may take all of it, opening leaves alone what other pending orders
and shorts need.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from libs.schema.currencies import minor_unit, round_money
from libs.schema.values import Currency

_ZERO = Decimal(0)
_UNIT = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class Fees:
    """What trading costs."""

    rate: Decimal
    currency: Currency

    def on(self, amount: Decimal) -> Decimal:
        """The commission on an amount."""
        return round_money(amount * self.rate, self.currency)


@dataclass(frozen=True, slots=True)
class Need:
    """An instrument in the account: what is held, short negative, and what its pending orders ask for."""

    held: Decimal
    pending: tuple[tuple[Decimal, Decimal], ...] = ()
    """Signed quantities, and the closes that they were decided at."""

    def set_aside(self, fees: Fees) -> Decimal:
        """What the pending orders may cost beyond what is held, at the worse of all purchases and all sales alone."""
        worst = max(self._beyond(1), self._beyond(-1))
        return worst + fees.on(worst)

    def _beyond(self, sign: int) -> Decimal:
        orders = [(abs(quantity), close) for quantity, close in self.pending if quantity * sign > 0]
        total = sum((quantity for quantity, _ in orders), _ZERO)
        more = abs(self.held + sign * total) - abs(self.held)
        if more <= 0:
            return _ZERO
        worth = sum((to_unit(quantity * close) for quantity, close in orders), _ZERO)
        return to_unit(worth * more / total)


def set_aside(needs: Iterable[Need], fees: Fees) -> Decimal:
    """What the pending orders of all instruments may cost."""
    return sum((need.set_aside(fees) for need in needs), _ZERO)


def most(quantity: Decimal, price: Decimal, cash: Decimal, fees: Fees) -> Decimal:
    """The largest part of a purchase that the cash pays for with its commission; whole where the quantity is whole."""
    if to_unit(quantity * price) + fees.on(quantity * price) <= cash:
        return quantity
    step = Decimal(1) if quantity == quantity.to_integral_value() else _UNIT
    unit = minor_unit(fees.currency)
    about = fees.on(max(cash, _ZERO) / (1 + fees.rate))
    # The commission is one of the few amounts around this one: for each, what the rest of the cash buys.
    best = _ZERO
    for fee in (about + unit * away for away in range(-2, 3)):
        part = _down(max(cash - fee, _ZERO) / price, step)
        # Rounded to 8 decimals, a cost may end half a unit above or below.
        for tried in (part + step, part, part - step):
            fits = to_unit(tried * price) + fees.on(tried * price) <= cash
            best = max(best, tried) if fits and tried <= quantity else best
    return best


def to_unit(amount: Decimal) -> Decimal:
    """`amount` rounded half-even to 8 decimals, as cash is kept."""
    return amount.quantize(_UNIT, ROUND_HALF_EVEN)


def _down(quantity: Decimal, step: Decimal) -> Decimal:
    return (quantity / step).to_integral_value(ROUND_FLOOR) * step
