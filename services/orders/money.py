"""How is money counted here? Exactly, in units of 8 decimals."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal

ZERO = Decimal(0)
_UNIT = Decimal("1E-8")
# The product of two 20-digit values has 40 digits; the default context keeps 28.
EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)


def to_unit(amount: Decimal) -> Decimal:
    """`amount` rounded half-even to 8 decimals, the smallest unit that is kept."""
    return EXACT.quantize(amount, _UNIT)


def notional(quantity: Decimal, price: Decimal) -> Decimal:
    """What `quantity` is worth at `price`, in whole units."""
    return to_unit(EXACT.multiply(quantity, price))
