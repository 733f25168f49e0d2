"""What is the rule? Fills and deposits go through the books of an account; closes say what it is worth."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from libs.kit.backbone import add_backbone
from libs.kit.errors import Conflict
from libs.kit.ids import uuid7
from libs.kit.model import Moment, Money, TenantOwned
from libs.kit.personal_data.erased import add_erased_workspaces
from libs.kit.rate_limits import add_rate_limits
from libs.schema.event import Cause
from libs.schema.portfolio import PortfolioValued, PositionChanged
from services.portfolio.ledger import Chart, JournalEntry, Occasion, Posting, Units, deposit_entry, fill_entry
from services.portfolio.positions import FLAT, ZERO, Holding, Trade

ANONYMOUS = "erased"
"""What the books of somebody are called who was erased."""


@dataclass(frozen=True, slots=True)
class Opening:
    """An account that was opened, and the cash it began with."""

    event_id: UUID
    account_id: UUID
    tenant_id: UUID
    name: str
    currency: str
    cash: Decimal
    time: datetime

    def anonymised(self) -> Opening:
        """The same without what its owner called it."""
        return replace(self, name=ANONYMOUS)


@dataclass(frozen=True, slots=True)
class Fill:
    """A trade of an account in an instrument, and what it cost in commission."""

    event_id: UUID
    cause: Cause
    account_id: UUID
    tenant_id: UUID
    symbol: str
    trade: Trade
    commission: Decimal
    currency: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Mark:
    """What one unit of an instrument was worth from `as_of` on."""

    event_id: UUID
    cause: Cause
    symbol: str
    as_of: datetime
    close: Decimal
    backfilled: bool
    """Whether it is imported history, which makes no points."""


@dataclass(frozen=True, slots=True)
class Valuation:
    """What an account was worth at a close: its cash, and its positions at the last closes by then."""

    account_id: UUID
    as_of: datetime
    cash: Decimal
    market_value: Decimal


@dataclass(eq=False, slots=True)
class Position:
    """What an account holds of one instrument, and what that instrument has brought it since the account was opened."""

    id: UUID
    symbol: str
    holding: Holding = FLAT
    realised_pnl: Decimal = ZERO
    fees: Decimal = ZERO


@dataclass(eq=False, slots=True)
class Book:
    """The books of one trading account; the id is the account's. Its lock orders all that is posted and valued."""

    id: UUID
    tenant_id: UUID
    name: str
    currency: str
    deposits: Decimal
    cash: Decimal
    realised_pnl: Decimal = ZERO
    fees: Decimal = ZERO
    version: int = 0
    positions: dict[str, Position] = field(default_factory=dict)

    @property
    def tenant(self) -> UUID:
        """The workspace that the account belongs to."""
        return self.tenant_id

    def post(self, fill: Fill) -> tuple[JournalEntry, PositionChanged]:
        """Move cash and a position, and pay the fees. Raises Conflict when the fill is in another currency."""
        if fill.currency != self.currency:
            raise Conflict(f"account {self.id} is kept in {self.currency}, the fill is in {fill.currency}")
        position = self._position(fill.symbol)
        change = position.holding.after(fill.trade)
        position.holding = change.holding
        position.realised_pnl += change.realised_pnl
        position.fees += fill.commission
        self.cash -= change.notional + fill.commission
        self.realised_pnl += change.realised_pnl
        self.fees += fill.commission
        occasion = Occasion(uuid7(), self.id, fill.time, self.currency, fill.event_id)
        entry = fill_entry(occasion, fill.symbol, fill.trade, change, fill.commission)
        return entry, self._changed(position, fill.time)

    def value(self, valuation: Valuation) -> list[PortfolioValued]:
        """Tell what the account was worth at a close."""
        return [
            PortfolioValued(
                occurred_at=valuation.as_of,
                account_id=self.id,
                currency=self.currency,
                cash=valuation.cash,
                market_value=valuation.market_value,
                equity=valuation.cash + valuation.market_value,
            )
        ]

    def _position(self, symbol: str) -> Position:
        if symbol not in self.positions:
            self.positions[symbol] = Position(uuid7(), symbol)
        return self.positions[symbol]

    def _changed(self, position: Position, at: datetime) -> PositionChanged:
        return PositionChanged(
            occurred_at=at,
            account_id=self.id,
            symbol=position.symbol,
            currency=self.currency,
            quantity=position.holding.quantity,
            average_cost=position.holding.average_cost,
            realised_pnl=position.realised_pnl,
            fees=position.fees,
        )


def open_book(opening: Opening) -> tuple[Book, JournalEntry]:
    """Books that begin with a deposit."""
    book = Book(
        id=opening.account_id,
        tenant_id=opening.tenant_id,
        name=opening.name,
        currency=opening.currency,
        deposits=opening.cash,
        cash=opening.cash,
    )
    occasion = Occasion(uuid7(), opening.account_id, opening.time, opening.currency, opening.event_id)
    return book, deposit_entry(occasion, opening.cash)


class Base(DeclarativeBase):
    """The tables of this context."""

    metadata = MetaData(schema="portfolio")


add_backbone(Base.metadata)
add_rate_limits(Base.metadata)
add_erased_workspaces(Base.metadata)


class BookRow(TenantOwned, Base):
    """Books as they are kept."""

    __tablename__ = "book"
    __table_args__ = (Index("book_tenant", "tenant_id", "id"),)

    name: Mapped[str]
    currency: Mapped[str]
    deposits: Mapped[Money]
    cash: Mapped[Money]
    realised_pnl: Mapped[Money]
    fees: Mapped[Money]


class PositionRow(Base):
    """A position as it is kept."""

    __tablename__ = "position"
    __table_args__ = (
        UniqueConstraint("account_id", "symbol", name="position_account_symbol"),
        Index("position_symbol", "symbol"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("portfolio.book.id"))
    tenant_id: Mapped[UUID]
    symbol: Mapped[str]
    quantity: Mapped[Money]
    cost_basis: Mapped[Money]
    realised_pnl: Mapped[Money]
    fees: Mapped[Money]
    first_fill_at: Mapped[Moment] = mapped_column(server_default=text("'-infinity'"))
    last_fill_at: Mapped[Moment] = mapped_column(server_default=text("'infinity'"))
    created_at: Mapped[Moment] = mapped_column(server_default=func.now())

    @property
    def holding(self) -> Holding:
        """Quantity and cost as a value."""
        return Holding(self.quantity, self.cost_basis)


class PostingRow(Base):
    """A posting as it is kept; never changed."""

    __tablename__ = "posting"
    __table_args__ = (
        PrimaryKeyConstraint("entry_id", "line", name="posting_pkey"),
        CheckConstraint("(ledger_account = 'positions') = (symbol IS NOT NULL)", name="posting_symbol"),
        CheckConstraint("(symbol IS NULL) = (quantity IS NULL)", name="posting_quantity"),
    )

    entry_id: Mapped[UUID] = mapped_column(ForeignKey("portfolio.journal_entry.id"))
    line: Mapped[int] = mapped_column(SmallInteger)
    tenant_id: Mapped[UUID]
    ledger_account: Mapped[str]
    currency: Mapped[str]
    amount: Mapped[Money]
    symbol: Mapped[str | None]
    quantity: Mapped[Money | None]

    def posting(self) -> Posting:
        """The posting as a value."""
        units = None if self.symbol is None else Units(self.symbol, self.quantity or ZERO)
        return Posting(Chart(self.ledger_account), self.currency, self.amount, units)


class JournalEntryRow(Base):
    """An entry as it is kept; never changed. Its event can cause no other."""

    __tablename__ = "journal_entry"
    __table_args__ = (
        UniqueConstraint("event_id", name="journal_entry_event"),
        Index("journal_entry_account_time", "account_id", "time"),
        Index("journal_entry_account_created", "account_id", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("portfolio.book.id"))
    tenant_id: Mapped[UUID]
    time: Mapped[Moment]
    kind: Mapped[str]
    description: Mapped[str]
    event_id: Mapped[UUID]
    created_at: Mapped[Moment] = mapped_column(server_default=func.now())
    postings: Mapped[list[PostingRow]] = relationship(lazy="raise", order_by=PostingRow.line, viewonly=True)


class MarkRow(Base):
    """A mark as it is kept; belongs to everybody."""

    __tablename__ = "mark"
    __table_args__ = (PrimaryKeyConstraint("symbol", "as_of", name="mark_pkey"),)

    symbol: Mapped[str]
    as_of: Mapped[Moment]
    close: Mapped[Money]
    event_id: Mapped[UUID]
    backfilled: Mapped[bool] = mapped_column(server_default=text("false"))


class EquityPoint(Base):
    """A valuation as it is kept; replaced when a late fill or close changes it."""

    __tablename__ = "equity_point"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "as_of", name="equity_point_pkey"),
        CheckConstraint("equity = cash + market_value", name="equity_point_sum"),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("portfolio.book.id"))
    as_of: Mapped[Moment]
    tenant_id: Mapped[UUID]
    cash: Mapped[Money]
    market_value: Mapped[Money]
    equity: Mapped[Money]
    event_id: Mapped[UUID]
    """What made the point as it is: a bar or a fill."""
