"""What happens when a strategy changes its mind? The difference to what it holds is ordered, at the signal's time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from libs.kit.db import Tx
from libs.kit.ids import uuid7
from libs.kit.logging import logger
from libs.schema.event import Cause, DomainEvent
from libs.schema.values import OrderType, Side, Symbol, TimeInForce
from services.orders.commands.desk import Desk, Intent, open_desk, save_placed
from services.orders.life_cycle import OrderStatus
from services.orders.matching import PaperVenue
from services.orders.model import Denial, DenialReason, Order
from services.orders.money import ZERO
from services.orders.repository import accounts, orders
from services.orders.repository.accounts import AutoTrader
from services.orders.repository.markets import Since
from services.orders.repository.orders import Holder

log = logger(__name__)

_NOT_ALLOWED = Denial(
    DenialReason.AUTO_TRADING_NOT_ALLOWED, "the workspace's plan lets signals reduce positions, and open none"
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a strategy wants to hold from now on."""

    signal_id: UUID
    tenant_id: UUID
    strategy_id: UUID
    symbol: Symbol
    target_position: Decimal
    """Short negative."""
    reference_price: Decimal
    at: datetime
    """The close at which it was decided."""
    cause: Cause

    def order_of(self, account_id: UUID, quantity: Decimal, now: datetime) -> Order:
        """The market order that trades a signed quantity."""
        return Order(
            id=uuid7(),
            tenant_id=self.tenant_id,
            account_id=account_id,
            client_order_id=str(self.signal_id),
            symbol=self.symbol,
            side=Side.BUY if quantity > 0 else Side.SELL,
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.GTC,
            quantity=abs(quantity),
            reference_price=self.reference_price,
            status=OrderStatus.PENDING_NEW,
            cumulative_quantity=ZERO,
            commission=ZERO,
            strategy_id=self.strategy_id,
            signal_id=self.signal_id,
            submitted_at=self.at,
            version=0,
            created_at=now,
            updated_at=now,
        )


@dataclass(slots=True)
class _Dealer:
    """Turns wishes into orders one after the other; each sees what the ones before it did."""

    desk: Desk
    traders: Mapping[UUID, AutoTrader]
    held: dict[Holder, Decimal]

    def order(self, wish: Wish, now: datetime) -> Order | None:
        """What is to be traded, or None when the strategy holds what it wants."""
        holder = self.holder(wish)
        missing = wish.target_position - self.held.get(holder, ZERO)
        return wish.order_of(holder.account_id, missing, now) if missing else None

    def place(self, wish: Wish, order: Order) -> list[DomainEvent]:
        """Place or deny the order. What only reduces a position is placed whatever the plan says: anybody gets out."""
        holder = self.holder(wish)
        if self._allowed(wish):
            events = self.desk.place(order)
        elif exits := self._exits(holder, order):
            order.quantity = exits
            events = self.desk.place(order)
        else:
            events = order.deny(_NOT_ALLOWED)
        traded = order.cumulative_quantity + order.leaves_quantity
        self.held[holder] = self.held.get(holder, ZERO) + order.sign * traded
        return events

    def holder(self, wish: Wish) -> Holder:
        """Who trades."""
        return Holder(self.traders[wish.tenant_id].account_id, wish.strategy_id, wish.symbol)

    def _exits(self, holder: Holder, order: Order) -> Decimal:
        """The part of an order that reduces what its strategy holds, and what the account holds; the rest would open."""
        of_strategy = max(-order.sign * self.held.get(holder, ZERO), ZERO)
        of_account = self.desk.books[holder.account_id].line(order.symbol).reducible(Side(order.side))
        return min(order.quantity, of_strategy, of_account)

    def _allowed(self, wish: Wish) -> bool:
        return self.traders[wish.tenant_id].allowed


async def trade_signals(tx: Tx, venue: PaperVenue, wishes: Sequence[Wish]) -> None:
    """Order what strategies want to hold and do not, in the account that their workspace trades signals in."""
    traders = await accounts.auto_traders(tx, {wish.tenant_id for wish in wishes})
    heard = [wish for wish in wishes if wish.tenant_id in traders]
    if len(heard) < len(wishes):
        log.debug("signals_without_account", count=len(wishes) - len(heard))
    if not heard:
        return
    dealer = await _dealer(tx, venue, heard, traders)
    known = await orders.taken_client_order_ids(tx, dealer.desk.books, [str(wish.signal_id) for wish in heard])
    placed = []
    for wish in heard:
        order = dealer.order(wish, tx.now)
        if order is None or order.client_order_id in known:
            continue
        tx.publish(order, *dealer.place(wish, order), cause=wish.cause)
        placed.append(order)
        known.add(order.client_order_id)
    await save_placed(tx, placed, dealer.desk.books.values())


async def _dealer(tx: Tx, venue: PaperVenue, wishes: Sequence[Wish], traders: Mapping[UUID, AutoTrader]) -> _Dealer:
    intents = [Intent(traders[w.tenant_id].account_id, Since(w.symbol, w.at, 1)) for w in wishes]
    desk = await open_desk(tx, venue, intents)
    dealer = _Dealer(desk, traders, {})
    dealer.held = await orders.holdings(tx, [dealer.holder(wish) for wish in wishes])
    return dealer
