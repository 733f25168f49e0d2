"""What can be read? Accounts, orders and fills of the caller's workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from libs.kit.db import Tx
from libs.kit.errors import NotFound
from libs.kit.http.pagination import PageRequest
from libs.kit.model import Moment
from libs.schema.values import Symbol
from services.orders.life_cycle import OrderStatus
from services.orders.model import Account, Fill, Order

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders; what is None does not matter."""

    status: OrderStatus | None = None
    symbol: Symbol | None = None
    account_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class FillFilter:
    """Which fills; what is None does not matter."""

    symbol: Symbol | None = None
    account_id: UUID | None = None
    order_id: UUID | None = None


async def accounts(tx: Tx, page: PageRequest) -> Sequence[Account]:
    """Accounts, the oldest first."""
    return await tx.scalars(_paged(select(Account), Account.created_at, Account.id, page))


async def account(tx: Tx, account_id: UUID) -> Account:
    """One account. Raises NotFound."""
    found = await tx.scalar(select(Account).where(Account.id == account_id))
    if found is None:
        raise NotFound("account", account_id)
    return found


async def orders(tx: Tx, wanted: OrderFilter, page: PageRequest) -> Sequence[Order]:
    """Orders, the oldest first."""
    statement = _paged(select(Order), Order.created_at, Order.id, page)
    if wanted.status is not None:
        statement = statement.where(Order.status == wanted.status)
    if wanted.symbol is not None:
        statement = statement.where(Order.symbol == wanted.symbol)
    if wanted.account_id is not None:
        statement = statement.where(Order.account_id == wanted.account_id)
    return await tx.scalars(statement)


async def order(tx: Tx, order_id: UUID) -> Order:
    """One order. Raises NotFound."""
    found = await tx.scalar(select(Order).where(Order.id == order_id))
    if found is None:
        raise NotFound("order", order_id)
    return found


async def fills(tx: Tx, wanted: FillFilter, page: PageRequest) -> Sequence[Fill]:
    """Fills in the order of their executions."""
    statement = _paged(select(Fill), Fill.executed_at, Fill.id, page)
    if wanted.symbol is not None:
        statement = statement.where(Fill.symbol == wanted.symbol)
    if wanted.account_id is not None:
        statement = statement.where(Fill.account_id == wanted.account_id)
    if wanted.order_id is not None:
        statement = statement.where(Fill.order_id == wanted.order_id)
    return await tx.scalars(statement)


def _paged(
    statement: Select[T], at: InstrumentedAttribute[Moment], id_: InstrumentedAttribute[UUID], page: PageRequest
) -> Select[T]:
    """In the order of a time and an id, from the page's cursor on, with one row too many."""
    if page.after is not None:
        statement = statement.where(tuple_(at, id_) > (page.after.at, page.after.id))
    return statement.order_by(at, id_).limit(page.limit + 1)
