"""What happens when people trade? They place orders and withdraw them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from libs.kit.db import Tx
from libs.kit.errors import Invalid, NotFound
from libs.kit.ids import uuid7
from libs.schema.values import OrderType, Side, Symbol, TimeInForce
from services.orders.commands.desk import Intent, open_desk, save_changed, save_placed, since
from services.orders.life_cycle import OrderStatus
from services.orders.matching import PaperVenue
from services.orders.model import Order
from services.orders.money import ZERO
from services.orders.repository import accounts, orders


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What somebody wants to trade."""

    account_id: UUID
    client_order_id: str | None
    symbol: Symbol
    side: Side
    order_type: OrderType
    quantity: Decimal
    limit_price: Decimal | None
    time_in_force: TimeInForce


async def place_order(tx: Tx, venue: PaperVenue, tenant_id: UUID, wanted: NewOrder) -> Order:
    """Accept an order, or deny it when the account can't afford it; both are told.

    Raises Invalid for an unknown instrument, NotFound for an account that is not the workspace's, and Conflict for a
    client_order_id that another order of the account has.
    """
    order = _order(tx, tenant_id, wanted)
    desk = await open_desk(tx, venue, [Intent(order.account_id, since(order))])
    if order.symbol not in desk.listings:
        raise Invalid("/symbol", f"{order.symbol} is not known", slug="unknown-symbol")
    if order.account_id not in desk.books:
        raise NotFound("account", order.account_id)
    tx.publish(order, *desk.place(order))
    await save_placed(tx, [order], desk.books.values())
    return order


async def cancel_order(tx: Tx, venue: PaperVenue, order_id: UUID) -> Order:
    """Withdraw what is left of an order. Raises NotFound, and IllegalTransition when the order is closed."""
    known = await _find(tx, order_id)
    books = await accounts.lock_books(tx, venue, {known.account_id})
    # Again, since it may have been filled before the lock.
    order = await _find(tx, order_id)
    tx.publish(order, *books[order.account_id].cancel(order, tx.now))
    await orders.update_orders(tx, [order])
    await save_changed(tx, {order.account_id}, books.values())
    return order


async def _find(tx: Tx, order_id: UUID) -> Order:
    order = await orders.find_order(tx, order_id)
    if order is None:
        raise NotFound("order", order_id)
    return order


def _order(tx: Tx, tenant_id: UUID, wanted: NewOrder) -> Order:
    id_ = uuid7()
    return Order(
        id=id_,
        tenant_id=tenant_id,
        account_id=wanted.account_id,
        client_order_id=wanted.client_order_id or str(id_),
        symbol=wanted.symbol,
        side=wanted.side,
        order_type=wanted.order_type,
        time_in_force=wanted.time_in_force,
        quantity=wanted.quantity,
        limit_price=wanted.limit_price,
        reference_price=wanted.limit_price,
        status=OrderStatus.PENDING_NEW,
        cumulative_quantity=ZERO,
        commission=ZERO,
        submitted_at=tx.now,
        version=0,
        created_at=tx.now,
        updated_at=tx.now,
    )
