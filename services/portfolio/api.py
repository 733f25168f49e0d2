"""Who asked over HTTP? Readers of positions, portfolios, their history and performance, and the ledger."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BaseModel

from libs.kit.http.app import Db
from libs.kit.http.pagination import Page, PageRequest, Position, page, page_request
from libs.kit.http.routes import Router
from libs.kit.security import Caller, requires
from libs.schema.values import Amount, Currency, Price, Ratio, SignedQuantity, Symbol, UtcDatetime
from services.portfolio import queries
from services.portfolio.ledger import Chart, EntryKind
from services.portfolio.model import EquityPoint, JournalEntryRow, PostingRow
from services.portfolio.queries import MeasuredPerformance, Portfolio, ValuedPosition

router = Router()

_NO_ID = UUID(int=0)

Reader = Annotated[Caller, Depends(requires("portfolio:read"))]
Wanted = Annotated[PageRequest, Depends(page_request)]
Account = Annotated[UUID | None, Query(description="May be left out when the workspace has one account.")]


class PositionOut(BaseModel):
    """What an account holds of one instrument. Amounts are in `currency` and before fees, unless they are the fees."""

    account_id: UUID
    symbol: Symbol
    currency: Currency
    quantity: SignedQuantity
    average_cost: Amount
    """Per unit; zero when flat."""
    cost_basis: Amount
    market_price: Price | None
    """The last close; null as long as there is none, and the position is valued at cost."""
    as_of: UtcDatetime | None
    """The time of that close."""
    market_value: Amount
    unrealised_pnl: Amount
    realised_pnl: Amount
    fees: Amount

    @classmethod
    def of(cls, valued: ValuedPosition) -> Self:
        """The position as clients see it."""
        position = valued.position
        return cls(
            account_id=position.account_id,
            symbol=position.symbol,
            currency=valued.currency,
            quantity=position.quantity,
            average_cost=position.holding.average_cost,
            cost_basis=position.cost_basis,
            market_price=valued.market_price,
            as_of=valued.as_of,
            market_value=valued.market_value,
            unrealised_pnl=valued.unrealised_pnl,
            realised_pnl=position.realised_pnl,
            fees=position.fees,
        )


class PortfolioOut(BaseModel):
    """What an account is worth at the last closes, and where that comes from.

    total_value = equity = available_cash + market_value = deposits + realised_pnl + unrealised_pnl - fees.
    """

    account_id: UUID
    name: str
    currency: Currency
    as_of: UtcDatetime | None
    total_value: Amount
    equity: Amount
    available_cash: Amount
    invested_amount: Amount
    """What the open positions cost; shorts count negative."""
    market_value: Amount
    deposits: Amount
    realised_pnl: Amount
    unrealised_pnl: Amount
    fees: Amount

    @classmethod
    def of(cls, portfolio: Portfolio) -> Self:
        """The portfolio as clients see it."""
        book = portfolio.book
        return cls(
            account_id=book.id,
            name=book.name,
            currency=book.currency,
            as_of=portfolio.as_of,
            total_value=portfolio.equity,
            equity=portfolio.equity,
            available_cash=book.cash,
            invested_amount=portfolio.invested_amount,
            market_value=portfolio.market_value,
            deposits=book.deposits,
            realised_pnl=book.realised_pnl,
            unrealised_pnl=portfolio.market_value - portfolio.invested_amount,
            fees=book.fees,
        )


class EquityPointOut(BaseModel):
    """What an account was worth at a close of what it held, or had held that day."""

    as_of: UtcDatetime
    cash: Amount
    market_value: Amount
    equity: Amount

    @classmethod
    def of(cls, point: EquityPoint) -> Self:
        """The point as clients see it."""
        return cls.model_validate(point, from_attributes=True)


class PerformanceOut(BaseModel):
    """Statistics on simple daily returns, the first on the deposit: 252 a year, no risk-free rate; null where undefined."""

    account_id: UUID
    points: int
    """Days, each with one return."""
    start: UtcDatetime | None
    """The account's first close."""
    end: UtcDatetime | None
    """The last close of what it has ever traded."""
    total_return: Ratio | None
    volatility: Ratio | None
    sharpe: Ratio | None
    sortino: Ratio | None
    max_drawdown: Ratio | None
    """Zero or negative, as a fraction of the peak."""

    @classmethod
    def of(cls, measured: MeasuredPerformance) -> Self:
        """The performance as clients see it."""
        performance = measured.performance
        return cls(
            account_id=measured.book.id,
            points=measured.points,
            start=measured.start,
            end=measured.end,
            total_return=performance.total_return,
            volatility=performance.volatility,
            sharpe=performance.sharpe,
            sortino=performance.sortino,
            max_drawdown=performance.max_drawdown,
        )


class PostingOut(BaseModel):
    """A line of an entry; debits are positive, credits negative."""

    ledger_account: Chart
    currency: Currency
    amount: Amount
    symbol: Symbol | None
    quantity: SignedQuantity | None

    @classmethod
    def of(cls, posting: PostingRow) -> Self:
        """The posting as clients see it."""
        return cls.model_validate(posting, from_attributes=True)


class EntryOut(BaseModel):
    """An entry of the journal; its postings sum to zero."""

    id: UUID
    account_id: UUID
    time: UtcDatetime
    kind: EntryKind
    description: str
    event_id: UUID
    """The event that caused it."""
    postings: list[PostingOut]

    @classmethod
    def of(cls, entry: JournalEntryRow) -> Self:
        """The entry as clients see it."""
        return cls(
            id=entry.id,
            account_id=entry.account_id,
            time=entry.time,
            kind=EntryKind(entry.kind),
            description=entry.description,
            event_id=entry.event_id,
            postings=[PostingOut.of(posting) for posting in entry.postings],
        )


@router.get("/v1/positions")
async def positions(caller: Reader, db: Db, wanted: Wanted, account_id: Account = None) -> Page[PositionOut]:
    """An account's positions at their last closes, flat ones too, in the order in which they were first opened."""
    async with db.transaction(caller.tenant_id) as tx:
        found = await queries.positions(tx, account_id, wanted)
        return page(found, wanted, PositionOut.of, lambda one: Position(one.position.created_at, one.position.id))


@router.get("/v1/positions/{symbol}")
async def position(symbol: Symbol, caller: Reader, db: Db, account_id: Account = None) -> PositionOut:
    """An account's position in one instrument."""
    async with db.transaction(caller.tenant_id) as tx:
        return PositionOut.of(await queries.position(tx, account_id, symbol))


@router.get("/v1/portfolio")
async def portfolio(caller: Reader, db: Db, account_id: Account = None) -> PortfolioOut:
    """What an account is worth now."""
    async with db.transaction(caller.tenant_id) as tx:
        return PortfolioOut.of(await queries.portfolio(tx, account_id))


@router.get("/v1/portfolio/history")
async def history(caller: Reader, db: Db, wanted: Wanted, account_id: Account = None) -> Page[EquityPointOut]:
    """What an account was worth at each close of what it held, in the order of time."""
    async with db.transaction(caller.tenant_id) as tx:
        found = await queries.history(tx, account_id, wanted)
        return page(found, wanted, EquityPointOut.of, lambda point: Position(point.as_of, _NO_ID))


@router.get("/v1/portfolio/performance")
async def performance(caller: Reader, db: Db, account_id: Account = None) -> PerformanceOut:
    """How an account did over its history."""
    async with db.transaction(caller.tenant_id) as tx:
        return PerformanceOut.of(await queries.performance(tx, account_id))


@router.get("/v1/ledger")
async def ledger(caller: Reader, db: Db, wanted: Wanted, account_id: Account = None) -> Page[EntryOut]:
    """An account's journal, in the order in which it was written."""
    async with db.transaction(caller.tenant_id) as tx:
        found = await queries.entries(tx, account_id, wanted)
        return page(found, wanted, EntryOut.of, lambda entry: Position(entry.created_at, entry.id))
