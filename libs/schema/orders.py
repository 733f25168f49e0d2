"""What do orders tell? Accounts, and each order's life after FIX order states."""

from __future__ import annotations

from uuid import UUID

from libs.schema.event import DomainEvent
from libs.schema.values import (
    Amount,
    Currency,
    OrderType,
    Price,
    Quantity,
    Side,
    Symbol,
    TimeInForce,
    Volume,
)


class AccountOpened(DomainEvent, topic="orders.v1", key="account_id"):
    """A paper account exists and holds its first cash."""

    account_id: UUID
    name: str
    currency: Currency
    initial_cash: Amount


class _OrderEvent(DomainEvent, topic="orders.v1", key="account_id"):
    order_id: UUID
    client_order_id: str
    account_id: UUID
    symbol: Symbol
    side: Side
    quantity: Quantity
    strategy_id: UUID | None = None
    signal_id: UUID | None = None


class OrderAccepted(_OrderEvent, topic="orders.v1", key="account_id"):
    """The order passed the checks and is working (FIX OrdStatus New)."""

    order_type: OrderType
    time_in_force: TimeInForce
    limit_price: Price | None = None


class OrderDenied(_OrderEvent, topic="orders.v1", key="account_id"):
    """Our own checks refused the order; it never reached a venue."""

    reason: str
    """A slug: `insufficient-buying-power`, `auto-trading-not-allowed`."""
    detail: str


class OrderFilled(_OrderEvent, topic="orders.v1", key="account_id"):
    """A part or all of the order traded (FIX ExecType Trade). `occurred_at` is the execution's time."""

    fill_id: UUID
    last_quantity: Quantity
    """FIX LastQty: what this fill traded."""
    last_price: Price
    """FIX LastPx: at which price."""
    commission: Volume
    """What this fill costs, zero or more, in `currency`."""
    currency: Currency
    cumulative_quantity: Quantity
    """FIX CumQty: all fills so far."""
    leaves_quantity: Volume
    """FIX LeavesQty: what is left to trade."""
    average_price: Price
    """FIX AvgPx over all fills so far."""


class OrderCancelled(_OrderEvent, topic="orders.v1", key="account_id"):
    """What was left of the order is withdrawn, by its owner or by the venue."""

    cumulative_quantity: Volume
    reason: str | None = None
    """A slug where the owner did not ask for it: `insufficient-cash`."""
    detail: str | None = None


class OrderExpired(_OrderEvent, topic="orders.v1", key="account_id"):
    """The order's time in force ended before it was filled."""

    cumulative_quantity: Volume
