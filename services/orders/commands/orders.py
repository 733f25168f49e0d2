"""What happens when people trade? They place orders and withdraw them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from libs.kit.db import Tx
from libs.kit.errors import Conflict, Invalid, NotFound
from libs.kit.ids import uuid7
from libs.schema.values import Currency, OrderType, Side, Symbol, TimeInForce
from services.orders.commands.desk import Desk, Intent, open_desk, save_changed, save_placed, since
from services.orders.life_cycle import OrderStatus
from services.orders.matching import PaperVenue
from services.orders.model import Denial, DenialReason, Order
from services.orders.money import ZERO
from services.orders.repository import accounts, markets, orders


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
    listing = await markets.find_listing(tx, order.symbol)
    if listing is None:
        raise Invalid("/symbol", f"{order.symbol} is not known", slug="unknown-symbol")
    desk = await open_desk(tx, venue, [Intent(order.account_id, since(order))])
    if order.account_id not in desk.books:
        raise NotFound("account", order.account_id)
    if await orders.taken_client_order_ids(tx, [order.account_id], [order.client_order_id]):
        detail = f"an order of this account has the client_order_id {order.client_order_id}"
        raise Conflict(detail, slug="client-order-id-taken")
    denial = currency_mismatch(desk, order, listing.currency)
    tx.publish(order, *(order.deny(denial) if denial else desk.place(order)))
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


def currency_mismatch(desk: Desk, order: Order, currency: Currency | None) -> Denial | None:
    """The denial of an order for an instrument that trades in another currency than its account is kept in."""
    own = desk.books[order.account_id].account.currency
    if currency is None or currency == own:
        return None
    return Denial(DenialReason.CURRENCY_MISMATCH, f"{order.symbol} trades in {currency}, the account is kept in {own}")


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
