"""What can an account still afford? Its cash, its positions and its open orders, reckoned as one.

An account is not leveraged: the gross exposure that it may reach when open orders trade never exceeds what it is worth.
Open orders can move a position anywhere between all purchases trading alone and all sales trading alone, so what they
may add is the larger of the two ends, at their reference prices, with its commission: that is reserved. An order that
only reduces a position, or ends it and opens no larger one, needs nothing.

The market may open beyond all reference prices. So that cash never goes below zero, a purchase then trades what the cash
pays for, and the rest is withdrawn: what covers a short may take all the cash, what opens leaves alone what is set aside
for other orders and for buying back what is short.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal, localcontext

from libs.kit.ids import uuid7
from libs.schema.event import DomainEvent
from libs.schema.values import Side, Symbol, plain, plain_money
from services.orders.cash import affordable
from services.orders.matching import Expiry, Outcome, PaperVenue, Trade
from services.orders.model import Account, Denial, DenialReason, Fill, Order
from services.orders.money import EXACT, ZERO, notional, to_unit

MAX_NOTIONAL = Decimal(10) ** 11
"""No order may be worth more, so that every figure that follows from it fits its column and its event's field."""
MAX_EXIT = Decimal(10) ** 12
"""The same of an order that only reduces what is held: the most at which its commission, at any rate, still fits."""


@dataclass(frozen=True, slots=True)
class Working:
    """What the open orders of one side of one instrument may still trade."""

    quantity: Decimal = ZERO
    notional: Decimal = ZERO
    """At the orders' reference prices."""

    def plus(self, quantity: Decimal, amount: Decimal) -> Working:
        """With another order, or without one when both are negative."""
        return Working(self.quantity + quantity, self.notional + amount)

    def worth(self, part: Decimal) -> Decimal:
        """What a part of the quantity is worth, at the average reference price."""
        if part <= 0:
            return ZERO
        with localcontext(EXACT):
            return to_unit(self.notional * part / self.quantity)


@dataclass(frozen=True, slots=True)
class Line:
    """One instrument in an account."""

    quantity: Decimal = ZERO
    """Held, short negative."""
    last_price: Decimal | None = None
    """Of the last fill; None before the first."""
    buys: Working = Working()
    sells: Working = Working()

    def exposure_to_come(self) -> Decimal:
        """How much the open orders may add to the gross exposure, in money."""
        held = abs(self.quantity)
        bought = self.buys.worth(abs(self.quantity + self.buys.quantity) - held)
        sold = self.sells.worth(abs(self.quantity - self.sells.quantity) - held)
        return max(bought, sold)

    def with_working(self, order: Order) -> Line:
        """With what an order may still trade."""
        return self._work(order, order.leaves_quantity, order.leaves_notional)

    def without_working(self, order: Order) -> Line:
        """Without it; to be called before the order closes."""
        return self._work(order, -order.leaves_quantity, -order.leaves_notional)

    def reducible(self, side: Side) -> Decimal:
        """How much an order of a side may trade so that it only reduces what is held, whatever else is open."""
        held, working = (-self.quantity, self.buys) if side is Side.BUY else (self.quantity, self.sells)
        return max(held - working.quantity, ZERO)

    def traded(self, quantity: Decimal, price: Decimal) -> Line:
        """After a fill of a signed quantity."""
        return replace(self, quantity=self.quantity + quantity, last_price=price)

    def _work(self, order: Order, quantity: Decimal, amount: Decimal) -> Line:
        if order.side == Side.BUY:
            return replace(self, buys=self.buys.plus(quantity, amount))
        return replace(self, sells=self.sells.plus(quantity, amount))


@dataclass(frozen=True, slots=True)
class Marks:
    """The last closes that were known at certain moments of the bars' time."""

    closes: Mapping[tuple[Symbol, datetime], Decimal]

    def at(self, symbol: Symbol, moment: datetime) -> Decimal | None:
        """The close, or None when no bar had closed by then."""
        return self.closes.get((symbol, moment))


@dataclass(slots=True)
class Book:
    """An account that is locked, with all that its buying power depends on."""

    account: Account
    venue: PaperVenue
    lines: dict[Symbol, Line] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    """What traded since the book was opened."""

    @property
    def reserved(self) -> Decimal:
        """What the open orders may still need."""
        return sum((self._reserved(line) for line in self.lines.values()), ZERO)

    def line(self, symbol: Symbol) -> Line:
        """What is held and open of an instrument."""
        return self.lines.get(symbol, Line())

    def buying_power(self, marks: Marks, at: datetime) -> Decimal:
        """What new exposure may cost: equity, less the exposure that there is, less what is reserved."""
        equity, exposure = self.account.cash, ZERO
        for symbol, line in self.lines.items():
            mark = marks.at(symbol, at) or line.last_price or ZERO
            equity += notional(line.quantity, mark)
            exposure += notional(abs(line.quantity), mark)
        return equity - exposure - self.reserved

    def place(self, order: Order, marks: Marks) -> list[DomainEvent]:
        """Accept the order and reserve what it may need, or deny it."""
        if order.reference_price is None:
            order.reference_price = marks.at(order.symbol, order.submitted_at) or self.line(order.symbol).last_price
        denial = self._denial(order, marks)
        if denial is not None:
            return order.deny(denial)
        self.lines[order.symbol] = self.line(order.symbol).with_working(order)
        return order.accept()

    def settle(self, order: Order, outcome: Outcome) -> list[DomainEvent]:
        """What the venue reports comes true."""
        # Before the order is taken off: what is reserved for it is its own to spend.
        quantity = self._affordable(order, outcome.price) if isinstance(outcome, Trade) else ZERO
        self.lines[order.symbol] = self.line(order.symbol).without_working(order)
        match outcome:
            case Trade():
                filled = self._fill(order, quantity, outcome) if quantity else []
                return filled + (self._withdraw(order, outcome) if order.leaves_quantity else [])
            case Expiry():
                return order.expire(outcome.at)

    def cancel(self, order: Order, at: datetime) -> list[DomainEvent]:
        """Withdraw the rest; the paper venue confirms at once. Raises IllegalTransition once the order is closed."""
        order.request_cancel(at)
        self.lines[order.symbol] = self.line(order.symbol).without_working(order)
        return order.confirm_cancel(at)

    def _affordable(self, order: Order, price: Decimal) -> Decimal:
        """How much of an order the cash pays for; of a sale all, unless its commission takes more than there is."""
        quantity, line, cash = order.leaves_quantity, self.line(order.symbol), max(self.account.cash, ZERO)

        def cost(part: Decimal) -> Decimal:
            return order.sign * notional(part, price) + self._commission(part, price)

        if order.side == Side.SELL:
            return quantity if cost(quantity) <= cash else ZERO
        covers = min(quantity, max(-line.quantity, ZERO))
        opens = min(cash, max(self._own(order, line), self._free_after(order, line, price)))
        return max(affordable(covers, cost, cash), affordable(quantity, cost, opens))

    def _own(self, order: Order, line: Line) -> Decimal:
        """What is reserved for an open order alone."""
        return self._reserved(line) - self._reserved(line.without_working(order))

    def _free_after(self, order: Order, line: Line, price: Decimal) -> Decimal:
        """The cash without what other orders and shorts need, once an open order has traded in full."""
        after = line.without_working(order).traded(order.sign * order.leaves_quantity, price)
        lines = (self.lines | {order.symbol: after}).values()
        # As in the buying power: a short is worth less than nothing, and is exposure.
        shorts = sum((notional(-one.quantity, one.last_price or ZERO) for one in lines if one.quantity < 0), ZERO)
        return self.account.cash - 2 * shorts - sum((self._reserved(one) for one in lines), ZERO)

    def _commission(self, quantity: Decimal, price: Decimal) -> Decimal:
        # On the exact product, so that it is rounded once.
        return self.venue.commission(EXACT.multiply(quantity, price), self.account.currency)

    def _withdraw(self, order: Order, trade: Trade) -> list[DomainEvent]:
        detail = (
            f"at {plain_money(trade.price)} {self.account.currency} the cash pays for "
            f"{plain(order.cumulative_quantity)} of {plain(order.quantity)}"
        )
        return order.withdraw(Denial(DenialReason.INSUFFICIENT_CASH, detail), trade.at)

    def _fill(self, order: Order, quantity: Decimal, trade: Trade) -> list[DomainEvent]:
        amount, commission = notional(quantity, trade.price), self._commission(quantity, trade.price)
        fill = Fill(
            id=uuid7(),
            tenant_id=order.tenant_id,
            account_id=order.account_id,
            order_id=order.id,
            symbol=order.symbol,
            side=order.side,
            last_quantity=quantity,
            last_price=trade.price,
            commission=commission,
            currency=self.account.currency,
            venue=self.account.broker,
            execution_id=trade.bar.execution_id,
            executed_at=trade.at,
        )
        self.fills.append(fill)
        self.account.cash -= order.sign * amount + commission
        self.lines[order.symbol] = self.line(order.symbol).traded(order.sign * quantity, trade.price)
        return order.fill(fill)

    def _denial(self, order: Order, marks: Marks) -> Denial | None:
        if order.reference_price is None:
            detail = f"nothing of {order.symbol} has traded yet, so that what the order may cost is not known"
            return Denial(DenialReason.NO_REFERENCE_PRICE, detail)
        line = self.line(order.symbol)
        most = MAX_EXIT if order.quantity <= line.reducible(Side(order.side)) else MAX_NOTIONAL
        if order.leaves_notional > most:
            detail = f"the order is worth more than {most:f} {self.account.currency}"
            return Denial(DenialReason.NOTIONAL_TOO_LARGE, detail)
        needed = self._reserved(line.with_working(order)) - self._reserved(line)
        available = self.buying_power(marks, order.submitted_at)
        if needed <= 0 or needed <= available:
            return None
        detail = (
            f"the order needs {plain_money(needed)} {self.account.currency}, "
            f"{plain_money(max(available, ZERO))} are left"
        )
        return Denial(DenialReason.INSUFFICIENT_BUYING_POWER, detail)

    def _reserved(self, line: Line) -> Decimal:
        exposure = line.exposure_to_come()
        return exposure + self.venue.commission(exposure, self.account.currency)
