"""Says how much of an order an amount of cash pays for, with its commission."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from services.orders.money import ZERO

_SMALLEST = Decimal("1E-8")
Cost = Callable[[Decimal], Decimal]
"""What trading a quantity costs, all in; it grows with the quantity."""


def affordable(quantity: Decimal, cost: Cost, cash: Decimal) -> Decimal:
    """The largest part of a quantity that the cash pays for, zero when it pays for none.

    A whole quantity is cut to a whole one, since whoever orders 99 shares does not want 49.95004995; any other one to 8
    decimals.
    """
    if cost(quantity) <= cash:
        return quantity
    step = Decimal(1) if quantity == quantity.to_integral_value() else _SMALLEST
    fits, too_many = 0, int(quantity / step) + 1
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if cost(middle * step) <= cash:
            fits = middle
        else:
            too_many = middle
    return fits * step if fits else ZERO
