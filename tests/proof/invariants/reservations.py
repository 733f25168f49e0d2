"""Is no more and no less reserved than the open orders may need?"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from uuid import UUID

from tests.proof.invariants.evidence import Evidence
from tests.proof.invariants.ledger import EXACT, UNIT, ZERO, Account, after, fills, first_cash
from tests.proof.invariants.violation import Invariant

# The scenarios trade in dollars alone.
_CENT = Decimal("0.01")


@dataclass
class _Working:
    """What the open orders of one side may still trade."""

    quantity: Decimal = ZERO
    worth: Decimal = ZERO
    orders: int = 0

    def part(self, quantity: Decimal) -> Decimal:
        """What so much of the quantity is worth at the average price; nothing when it is not positive."""
        return ZERO if quantity <= 0 else EXACT.divide(EXACT.multiply(self.worth, quantity), self.quantity)


async def what_is_reserved_follows_from_the_open_orders(evidence: Evidence) -> list[str]:
    """An account reserves what its open orders may add to its exposure, with commission."""
    # How the broker was set up, not how it reckons.
    rate: Decimal = getattr(evidence.settings_of("orders"), "orders_commission_rate")  # noqa: B009 the kit's type
    working: defaultdict[tuple[UUID, str, str], _Working] = defaultdict(_Working)
    rows = await evidence.database.fetch(
        "SELECT account_id, symbol, side, quantity - cumulative_quantity, coalesce(reference_price, 0) "
        'FROM orders."order" WHERE closed_at IS NULL'
    )
    for account_id, symbol, side, leaves, price in rows:
        line = working[account_id, symbol, side]
        line.quantity, line.worth, line.orders = line.quantity + leaves, line.worth + leaves * price, line.orders + 1
    accounts = after(await fills(evidence), await first_cash(evidence))
    found = []
    for id_, reserved in await evidence.database.fetch("SELECT id, reserved FROM orders.account"):
        low, high = _bounds(accounts[id_], {key[1:]: line for key, line in working.items() if key[0] == id_}, rate)
        if not low <= reserved <= high:
            found.append(f"account {id_} reserves {reserved}, its open orders need {low}")
    return found


def _bounds(account: Account, working: dict[tuple[str, str], _Working], rate: Decimal) -> tuple[Decimal, Decimal]:
    """What to reserve, at least and at most: each order may have been rounded up or down by one unit."""
    low = high = ZERO
    for symbol in {symbol for symbol, _ in working}:
        held = account.held[symbol]
        buys, sells = (working.get((symbol, side), _Working()) for side in ("BUY", "SELL"))
        exposure = max(
            buys.part(abs(held + buys.quantity) - abs(held)), sells.part(abs(held - sells.quantity) - abs(held))
        )
        slack = UNIT * (buys.orders + sells.orders) if exposure else ZERO
        low += _with_commission(exposure - slack, rate)
        high += _with_commission(exposure + slack, rate)
    return low, high


def _with_commission(exposure: Decimal, rate: Decimal) -> Decimal:
    return exposure + EXACT.multiply(exposure, rate).quantize(_CENT, ROUND_HALF_EVEN)


INVARIANTS = (Invariant(what_is_reserved_follows_from_the_open_orders),)
