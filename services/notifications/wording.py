"""What do we say? Each event's words, with exact figures, and the same figures as metadata."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from libs.schema.auth import UserRegistered
from libs.schema.event import DomainEvent, Envelope
from libs.schema.notifications import NotificationType
from libs.schema.orders import OrderDenied, OrderExpired, OrderFilled
from libs.schema.signals import SignalGenerated
from libs.schema.values import (
    Confidence,
    Currency,
    Price,
    Quantity,
    Side,
    SignalType,
    Symbol,
    UtcDatetime,
    Volume,
    plain,
    plain_money,
)
from libs.schema.workspaces import WorkspaceCreated
from services.notifications.model import Metadata, Notice, Priority

_SIGNAL_WORDS = {
    SignalType.BUY: "Buy",
    SignalType.SELL: "Sell",
    SignalType.SHORT: "Sell short",
    SignalType.COVER: "Buy to cover",
}
_DONE_WORDS = {Side.BUY: "Bought", Side.SELL: "Sold"}


class UserMetadata(Metadata):
    """Who registered."""

    user_id: UUID


class SignalMetadata(Metadata):
    """What a strategy asks for."""

    signal_id: UUID
    strategy_id: UUID
    symbol: Symbol
    signal_type: SignalType
    quantity: Quantity
    entry_price: Price
    confidence: Confidence


class OrderMetadata(Metadata):
    """Which order it is about."""

    order_id: UUID
    symbol: Symbol
    side: Side
    quantity: Quantity


class DenialMetadata(OrderMetadata):
    """Why the order never reached a venue."""

    reason: str


class FillMetadata(OrderMetadata):
    """What traded; `quantity` is this fill's."""

    fill_id: UUID
    price: Price
    commission: Volume
    currency: Currency
    executed_at: UtcDatetime


def welcome(envelope: Envelope[UserRegistered]) -> Notice:
    """Somebody registered."""
    event = envelope.event
    name = f", {event.first_name}" if event.first_name else ""
    return _notice(
        envelope, event.workspace_id, NotificationType.SYSTEM, Priority.LOW,
        title=f"Welcome to Fillstream{name}",
        message="Your workspace is ready. Create a strategy, or place a first order on paper.",
        metadata=UserMetadata(user_id=event.user_id),
    )  # fmt: skip


def new_workspace(envelope: Envelope[WorkspaceCreated]) -> Notice:
    """Somebody made one more workspace."""
    event = envelope.event
    return _notice(
        envelope, event.workspace_id, NotificationType.SYSTEM, Priority.LOW,
        title=f"{event.name} is ready",
        message="Invite others to it, open an account, or create a strategy.",
        metadata=UserMetadata(user_id=event.owner_id),
    )  # fmt: skip


def signal(envelope: Envelope[SignalGenerated]) -> Notice:
    """A strategy asks for a trade."""
    event = envelope.event
    what = f"{event.signal_type} {plain(event.quantity)} {event.symbol}"
    parts = [f"{event.strategy_name} asks: {what} at about {plain_money(event.entry_price)}"]
    if event.target_price is not None:
        parts.append(f"target {plain_money(event.target_price)}")
    if event.stop_loss is not None:
        parts.append(f"stop {plain_money(event.stop_loss)}")
    parts.append(f"confidence {plain(event.confidence * 100)} %")
    return _notice(
        envelope, envelope.tenant, NotificationType.SIGNAL, Priority.MEDIUM,
        title=f"{_SIGNAL_WORDS[event.signal_type]} {plain(event.quantity)} {event.symbol}",
        message=", ".join(parts) + ".",
        metadata=SignalMetadata.model_validate(event, from_attributes=True),
    )  # fmt: skip


def fill(envelope: Envelope[OrderFilled]) -> Notice:
    """An order traded, in part or in full."""
    event = envelope.event
    what = f"{plain(event.last_quantity)} {event.symbol}"
    rest = f"; {plain(event.leaves_quantity)} of {plain(event.quantity)} are left" if event.leaves_quantity else ""
    return _notice(
        envelope, envelope.tenant, NotificationType.ORDER, Priority.MEDIUM,
        title=f"{_DONE_WORDS[event.side]} {what}",
        message=f"{event.side} {what} at {_money(event.last_price, event.currency)},"
                f" fee {_money(event.commission, event.currency)}{rest}.",
        metadata=FillMetadata(
            order_id=event.order_id, fill_id=event.fill_id, symbol=event.symbol, side=event.side,
            quantity=event.last_quantity, price=event.last_price, commission=event.commission,
            currency=event.currency, executed_at=event.occurred_at,
        ),
    )  # fmt: skip


def denial(envelope: Envelope[OrderDenied]) -> Notice:
    """Our own checks refused an order."""
    event = envelope.event
    what = f"{event.side} {plain(event.quantity)} {event.symbol}"
    return _notice(
        envelope, envelope.tenant, NotificationType.ORDER, Priority.HIGH,
        title=f"Order denied: {what}",
        message=f"{what} was denied ({event.reason}): {event.detail}",
        metadata=DenialMetadata.model_validate(event, from_attributes=True),
    )  # fmt: skip


def expiry(envelope: Envelope[OrderExpired]) -> Notice:
    """An order's time ended before it was filled."""
    event = envelope.event
    what = f"{event.side} {plain(event.quantity)} {event.symbol}"
    return _notice(
        envelope, envelope.tenant, NotificationType.ORDER, Priority.MEDIUM,
        title=f"Order expired: {what}",
        message=f"{what} expired; {plain(event.cumulative_quantity)} of {plain(event.quantity)} had traded.",
        metadata=OrderMetadata.model_validate(event, from_attributes=True),
    )  # fmt: skip


def _money(amount: Decimal, currency: str) -> str:
    return f"{plain_money(amount)} {currency}"


def _notice(
    envelope: Envelope[DomainEvent], tenant_id: UUID, kind: NotificationType, priority: Priority, *,
    title: str, message: str, metadata: Metadata,
) -> Notice:  # fmt: skip
    return Notice(
        event_id=envelope.id,
        cause=envelope.follow(),
        tenant_id=tenant_id,
        notification_type=kind,
        priority=priority,
        title=title,
        message=message,
        metadata=metadata,
        occurred_at=envelope.event.occurred_at,
    )
