"""What can be read? Positions at their last closes, what an account is worth, its history, performance and ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Select, and_, func, select, tuple_
from sqlalchemy.orm import aliased, selectinload

from libs.kit.db import Tx
from libs.kit.errors import Invalid, NotFound
from libs.kit.http.pagination import PageRequest
from services.portfolio.model import BookRow, EquityPoint, JournalEntryRow, MarkRow, PositionRow
from services.portfolio.performance import Performance, Point, daily, day_of, measure


@dataclass(frozen=True, slots=True)
class ValuedPosition:
    """A position at the last close of its instrument; at cost, with nothing unrealised, as long as there is none."""

    position: PositionRow
    currency: str
    market_price: Decimal | None
    as_of: datetime | None

    @property
    def market_value(self) -> Decimal:
        """What closing the position at the market price would bring; negative for a short."""
        if self.market_price is None:
            return self.position.cost_basis
        return self.position.holding.market_value(self.market_price)

    @property
    def unrealised_pnl(self) -> Decimal:
        """What closing the position at the market price would gain, before fees."""
        return self.market_value - self.position.cost_basis


@dataclass(frozen=True, slots=True)
class Portfolio:
    """An account with its positions at their last closes."""

    book: BookRow
    positions: Sequence[ValuedPosition]

    @property
    def market_value(self) -> Decimal:
        """All positions at their market prices; shorts count negative."""
        return sum((one.market_value for one in self.positions), Decimal(0))

    @property
    def invested_amount(self) -> Decimal:
        """What the open positions cost, without fees; shorts count negative."""
        return sum((one.position.cost_basis for one in self.positions), Decimal(0))

    @property
    def equity(self) -> Decimal:
        """Cash and market value."""
        return self.book.cash + self.market_value

    @property
    def as_of(self) -> datetime | None:
        """The latest close that the figures have seen."""
        return max((one.as_of for one in self.positions if one.as_of is not None), default=None)


@dataclass(frozen=True, slots=True)
class MeasuredPerformance:
    """How an account did from its deposit on."""

    book: BookRow
    points: int
    """Days, each of which has a return: the first one's is on the deposit."""
    start: datetime | None
    """Its first close."""
    end: datetime | None
    """The last close of what it has ever traded."""
    performance: Performance


async def book(tx: Tx, account_id: UUID | None) -> BookRow:
    """The books of an account, or of the workspace's only one. Raises NotFound, or Invalid when there are several."""
    statement = select(BookRow).order_by(BookRow.id).limit(2)
    if account_id is not None:
        statement = statement.where(BookRow.id == account_id)
    found = await tx.scalars(statement)
    if not found:
        raise NotFound("account", account_id or "in this workspace")
    if len(found) > 1:
        raise Invalid("account_id", "say which account: this workspace has several")
    return found[0]


async def positions(tx: Tx, account_id: UUID | None, page: PageRequest) -> Sequence[ValuedPosition]:
    """An account's positions, flat ones too, in the order in which they were first opened. Raises as `book`."""
    owner = await book(tx, account_id)
    statement = _of_account(owner).limit(page.limit + 1)
    if page.after is not None:
        statement = statement.where(tuple_(PositionRow.created_at, PositionRow.id) > (page.after.at, page.after.id))
    return await _valued(tx, owner, statement)


async def position(tx: Tx, account_id: UUID | None, symbol: str) -> ValuedPosition:
    """An account's position in one instrument. Raises as `book`, and NotFound when it never had one."""
    owner = await book(tx, account_id)
    found = await _valued(tx, owner, _of_account(owner).where(PositionRow.symbol == symbol))
    if not found:
        raise NotFound("position in", symbol)
    return found[0]


async def portfolio(tx: Tx, account_id: UUID | None) -> Portfolio:
    """What an account is worth now. Raises as `book`."""
    owner = await book(tx, account_id)
    return Portfolio(owner, await _valued(tx, owner, _of_account(owner)))


async def history(tx: Tx, account_id: UUID | None, page: PageRequest) -> Sequence[EquityPoint]:
    """An account's equity points in the order of time. Raises as `book`."""
    owner = await book(tx, account_id)
    statement = (
        select(EquityPoint).where(EquityPoint.account_id == owner.id).order_by(EquityPoint.as_of).limit(page.limit + 1)
    )
    if page.after is not None:
        statement = statement.where(EquityPoint.as_of > page.after.at)
    return await tx.scalars(statement)


async def performance(tx: Tx, account_id: UUID | None) -> MeasuredPerformance:
    """How an account did over all its days. Raises as `book`."""
    owner = await book(tx, account_id)
    statement = select(EquityPoint).where(EquityPoint.account_id == owner.id).order_by(EquityPoint.as_of)
    points = [Point(point.as_of, point.equity) for point in await tx.scalars(statement)]
    closes = await _closes(tx, owner) if points else []
    equity = daily(points, [day_of(close) for close in closes])
    return MeasuredPerformance(
        book=owner,
        points=len(equity),
        start=points[0].as_of if points else None,
        end=max(closes, default=None),
        performance=measure([owner.deposits, *equity]),
    )


async def _closes(tx: Tx, owner: BookRow) -> Sequence[datetime]:
    """The last close of each day of what the account has ever traded; imported history is none."""
    day = func.date_trunc("day", MarkRow.as_of - timedelta.resolution, "UTC")
    statement = (
        select(func.max(MarkRow.as_of))
        .join(PositionRow, and_(PositionRow.symbol == MarkRow.symbol, PositionRow.first_fill_at < MarkRow.as_of))
        .where(PositionRow.account_id == owner.id, MarkRow.backfilled.is_(False))
        .group_by(day)
    )
    return await tx.scalars(statement)


async def entries(tx: Tx, account_id: UUID | None, page: PageRequest) -> Sequence[JournalEntryRow]:
    """An account's journal with its postings, in the order in which it was written. Raises as `book`."""
    owner = await book(tx, account_id)
    statement = (
        select(JournalEntryRow)
        .where(JournalEntryRow.account_id == owner.id)
        .order_by(JournalEntryRow.created_at, JournalEntryRow.id)
        .limit(page.limit + 1)
        .options(selectinload(JournalEntryRow.postings))
    )
    if page.after is not None:
        after = (page.after.at, page.after.id)
        statement = statement.where(tuple_(JournalEntryRow.created_at, JournalEntryRow.id) > after)
    return await tx.scalars(statement)


def _of_account(owner: BookRow) -> Select[PositionRow]:
    return (
        select(PositionRow).where(PositionRow.account_id == owner.id).order_by(PositionRow.created_at, PositionRow.id)
    )


async def _valued(tx: Tx, owner: BookRow, statement: Select[PositionRow]) -> Sequence[ValuedPosition]:
    found = await tx.scalars(statement)
    other = aliased(MarkRow)
    # What closed before the account traded the instrument says nothing about what it paid for it.
    newest = (
        select(func.max(other.as_of))
        .where(other.symbol == PositionRow.symbol, other.as_of >= PositionRow.first_fill_at)
        .scalar_subquery()
    )
    last_marks = (
        select(MarkRow)
        .join(PositionRow, and_(MarkRow.symbol == PositionRow.symbol, MarkRow.as_of == newest))
        .where(PositionRow.id.in_([one.id for one in found]))
    )
    marks = {mark.symbol: mark for mark in await tx.scalars(last_marks)}
    return [_at(one, owner, marks.get(one.symbol)) for one in found]


def _at(position: PositionRow, owner: BookRow, mark: MarkRow | None) -> ValuedPosition:
    if mark is None:
        return ValuedPosition(position, owner.currency, None, None)
    return ValuedPosition(position, owner.currency, mark.close, mark.as_of)
