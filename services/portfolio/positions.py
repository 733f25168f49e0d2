"""What does a fill do to a holding? Average cost without fees, long and short, exact to 8 decimals.

A holding is a signed quantity and the signed cost of that quantity. The average is derived from them for display and
never stored, so that rounding it cannot lose money. Every amount here is in the currency of the account.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal

from libs.schema.values import Side

ZERO = Decimal(0)
_UNIT = Decimal("1E-8")
# The default context keeps 28 digits; a product of two 20-digit values has 40.
_EXACT = Context(prec=80, rounding=ROUND_HALF_EVEN)


def worth(quantity: Decimal, price: Decimal) -> Decimal:
    """`quantity` at `price`, rounded half-even to 8 decimals, the smallest unit in which the ledger counts.

    The exact product of two 8-decimal values may have 16; both sides of every entry use this one rounded figure.
    """
    return _to_unit(_EXACT.multiply(quantity, price))


def _to_unit(amount: Decimal) -> Decimal:
    # Adding zero turns a negative zero, left by rounding, into a plain one.
    return _EXACT.add(_EXACT.quantize(amount, _UNIT), ZERO)


@dataclass(frozen=True, slots=True)
class Trade:
    """What happened in one execution: which way, how much (greater than zero) and at which price per unit."""

    side: Side
    quantity: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class Holding:
    """How much of one instrument is held (short negative, flat zero) and what it cost without fees, same sign."""

    quantity: Decimal = ZERO
    cost_basis: Decimal = ZERO

    @property
    def average_cost(self) -> Decimal:
        """Cost per unit, rounded half-even to 8 decimals for display; zero when flat."""
        if not self.quantity:
            return ZERO
        return _to_unit(_EXACT.divide(self.cost_basis, self.quantity))

    def market_value(self, price: Decimal) -> Decimal:
        """What closing at `price` would bring; negative for a short."""
        return worth(self.quantity, price)

    def unrealised_pnl(self, price: Decimal) -> Decimal:
        """What closing at `price` would gain, before fees."""
        return self.market_value(price) - self.cost_basis

    def after(self, trade: Trade) -> Change:
        """Trade against this holding: what faces it is closed first, and the rest opens at the trade's price."""
        signed = trade.side.sign * trade.quantity
        notional = trade.side.sign * worth(trade.quantity, trade.price)
        closing = self._closing(signed)
        # The parts add up to the whole notional, whatever the rounding of the closing part.
        closing_notional = notional if closing == signed else trade.side.sign * worth(abs(closing), trade.price)
        released = self._released(closing)
        holding = Holding(self.quantity + signed, self.cost_basis - released + notional - closing_notional)
        return Change(holding, notional=notional, released=released, realised_pnl=-closing_notional - released)

    def _closing(self, signed: Decimal) -> Decimal:
        """The part of a signed traded quantity that faces this holding."""
        if self.quantity * signed >= 0:
            return ZERO
        return signed if abs(signed) <= abs(self.quantity) else -self.quantity

    def _released(self, closing: Decimal) -> Decimal:
        """The share of the cost that leaves with `closing`; all of it when flat afterwards, so no residue stays."""
        if not closing:
            return ZERO
        if closing == -self.quantity:
            return self.cost_basis
        return _to_unit(_EXACT.divide(_EXACT.multiply(self.cost_basis, -closing), self.quantity))


FLAT = Holding()


@dataclass(frozen=True, slots=True)
class Change:
    """What a trade did to a holding. All amounts are before fees."""

    holding: Holding
    """What is held afterwards."""
    notional: Decimal
    """Quantity at price: positive for a purchase, negative for a sale. Cash moves by its opposite."""
    released: Decimal
    """The cost of the part that was closed, signed as the holding was."""
    realised_pnl: Decimal
    """Proceeds less released cost of the part that was closed."""
