"""What is the rule? An account pays for what it trades; an order lives after FIX and tells every step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext
from enum import StrEnum
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libs.kit.backbone import add_backbone
from libs.kit.model import Moment, Money, TenantOwned
from libs.kit.personal_data.erased import add_erased_workspaces
from libs.kit.rate_limits import add_rate_limits
from libs.schema.event import DomainEvent
from libs.schema.exchanges import UTC_ZONE
from libs.schema.orders import AccountOpened, OrderAccepted, OrderCancelled, OrderDenied, OrderExpired, OrderFilled
from libs.schema.values import OrderType, Side, TimeInForce
from services.orders.life_cycle import CLOSED, ExecType, OrderStatus, after
from services.orders.matching import Instruction
from services.orders.money import EXACT, ZERO, notional, to_unit

E = TypeVar("E", bound=DomainEvent)


class Base(DeclarativeBase):
    """The tables of this context."""

    metadata = MetaData(schema="orders")


add_backbone(Base.metadata)
add_rate_limits(Base.metadata)
add_erased_workspaces(Base.metadata)


class AccountStatus(StrEnum):
    """Whether an account trades."""

    ACTIVE = "ACTIVE"


class Account(TenantOwned, Base):
    """Cash at a broker and what was bought with it. Its lock guards its orders and positions, too."""

    __tablename__ = "account"
    __table_args__ = (
        Index("account_auto_trading", "tenant_id", unique=True, postgresql_where=text("auto_trading")),
        Index("account_tenant", "tenant_id", "created_at", "id"),
    )

    name: Mapped[str]
    broker: Mapped[str]
    currency: Mapped[str]
    initial_cash: Mapped[Money]
    cash: Mapped[Money]
    reserved: Mapped[Money]
    """What open orders may still need; see `services.orders.book`."""
    auto_trading: Mapped[bool]
    """Whether signals are traded here; true for one account of a workspace at most."""
    status: Mapped[str]

    def open(self, at: datetime) -> list[DomainEvent]:
        """Tell that the account exists."""
        return [
            AccountOpened(
                occurred_at=at,
                account_id=self.id,
                name=self.name,
                currency=self.currency,
                initial_cash=self.initial_cash,
            )
        ]


class DenialReason(StrEnum):
    """Why our own checks refuse an order, or the venue withdraws what is left of it."""

    AUTO_TRADING_NOT_ALLOWED = "auto-trading-not-allowed"
    CURRENCY_MISMATCH = "currency-mismatch"
    INSUFFICIENT_BUYING_POWER = "insufficient-buying-power"
    INSUFFICIENT_CASH = "insufficient-cash"
    NO_REFERENCE_PRICE = "no-reference-price"
    NOTIONAL_TOO_LARGE = "notional-too-large"


@dataclass(frozen=True, slots=True)
class Denial:
    """A reason, and the same said to a person."""

    reason: DenialReason
    detail: str


class Order(TenantOwned, Base):
    """One instruction to trade, from the moment it was asked for until nothing more can happen to it."""

    __tablename__ = "order"
    __table_args__ = (
        UniqueConstraint("account_id", "client_order_id", name="order_client_order_id"),
        CheckConstraint("quantity > 0 AND cumulative_quantity BETWEEN 0 AND quantity", name="order_quantities"),
        CheckConstraint("(order_type = 'LIMIT') = (limit_price IS NOT NULL)", name="order_limit_price"),
        CheckConstraint(
            "(closed_at IS NULL) = (status IN ('PENDING_NEW', 'NEW', 'PARTIALLY_FILLED', 'PENDING_CANCEL'))",
            name="order_closed_at",
        ),
        Index("order_tenant", "tenant_id", "created_at", "id"),
        Index("order_open_by_symbol", "symbol", "submitted_at", postgresql_where=text("closed_at IS NULL")),
        Index("order_open_by_account", "account_id", "symbol", postgresql_where=text("closed_at IS NULL")),
        Index(
            "order_strategy", "account_id", "strategy_id", "symbol", postgresql_where=text("strategy_id IS NOT NULL")
        ),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("orders.account.id"))
    client_order_id: Mapped[str]
    symbol: Mapped[str]
    side: Mapped[str]
    order_type: Mapped[str]
    time_in_force: Mapped[str]
    quantity: Mapped[Money]
    limit_price: Mapped[Money | None]
    reference_price: Mapped[Money | None]
    """What the check of buying power reckons with; None only when nothing is known that could be reckoned with."""
    status: Mapped[str]
    cumulative_quantity: Mapped[Money]
    average_price: Mapped[Money | None]
    commission: Mapped[Money]
    reject_reason: Mapped[str | None]
    reject_detail: Mapped[str | None]
    strategy_id: Mapped[UUID | None]
    signal_id: Mapped[UUID | None]
    day_zone: Mapped[str | None]
    """Whose midnight ends a day order; None where it is UTC's."""
    submitted_at: Mapped[Moment]
    """The order's time in the world, which the venue goes by: the close that a signal was decided at."""
    closed_at: Mapped[Moment | None]

    @property
    def leaves_quantity(self) -> Decimal:
        """FIX LeavesQty: what may still trade."""
        return ZERO if self.status in CLOSED else self.quantity - self.cumulative_quantity

    @property
    def leaves_notional(self) -> Decimal:
        """What may still trade, at the reference price."""
        return notional(self.leaves_quantity, self.reference_price or ZERO)

    @property
    def sign(self) -> int:
        """+1 for a purchase, -1 for a sale."""
        return Side(self.side).sign

    @property
    def instruction(self) -> Instruction:
        """What the venue has to know."""
        return Instruction(
            Side(self.side),
            OrderType(self.order_type),
            self.limit_price,
            TimeInForce(self.time_in_force),
            self.submitted_at,
            ZoneInfo(self.day_zone or UTC_ZONE),
        )

    def accept(self) -> list[DomainEvent]:
        """The order passed the checks and works at the venue."""
        self._move(ExecType.NEW, self.submitted_at)
        return [
            self._tell(
                OrderAccepted,
                self.submitted_at,
                order_type=self.order_type,
                time_in_force=self.time_in_force,
                limit_price=self.limit_price,
            )
        ]

    def deny(self, denial: Denial) -> list[DomainEvent]:
        """Our checks refuse the order."""
        self._move(ExecType.DENIED, self.submitted_at)
        self.reject_reason, self.reject_detail = denial.reason, denial.detail
        return [self._tell(OrderDenied, self.submitted_at, reason=denial.reason.value, detail=denial.detail)]

    def fill(self, fill: Fill) -> list[DomainEvent]:
        """A part or all of the order traded. Raises IllegalTransition once it is closed."""
        leaves = self.leaves_quantity - fill.last_quantity
        self._move(ExecType.PARTIAL_FILL if leaves else ExecType.FILL, fill.executed_at)
        self.average_price = self._average_with(fill)
        self.cumulative_quantity += fill.last_quantity
        self.commission += fill.commission
        return [
            self._tell(
                OrderFilled,
                fill.executed_at,
                fill_id=fill.id,
                last_quantity=fill.last_quantity,
                last_price=fill.last_price,
                commission=fill.commission,
                currency=fill.currency,
                cumulative_quantity=self.cumulative_quantity,
                leaves_quantity=self.leaves_quantity,
                average_price=self.average_price,
            )
        ]

    def request_cancel(self, at: datetime) -> None:
        """The owner wants the rest withdrawn. Raises IllegalTransition once the order is closed."""
        self._move(ExecType.PENDING_CANCEL, at)

    def confirm_cancel(self, at: datetime) -> list[DomainEvent]:
        """The venue withdrew the rest."""
        self._move(ExecType.CANCELED, at)
        return [self._tell(OrderCancelled, at, cumulative_quantity=self.cumulative_quantity)]

    def withdraw(self, denial: Denial, at: datetime) -> list[DomainEvent]:
        """The venue withdraws the rest unasked, for a reason that the order keeps."""
        self._move(ExecType.CANCELED, at)
        self.reject_reason, self.reject_detail = denial.reason, denial.detail
        told = {"reason": denial.reason.value, "detail": denial.detail}
        return [self._tell(OrderCancelled, at, cumulative_quantity=self.cumulative_quantity, **told)]

    def expire(self, at: datetime) -> list[DomainEvent]:
        """The time in force ended at `at`."""
        self._move(ExecType.EXPIRED, at)
        return [self._tell(OrderExpired, at, cumulative_quantity=self.cumulative_quantity)]

    def _average_with(self, fill: Fill) -> Decimal:
        with localcontext(EXACT):
            traded = self.cumulative_quantity * (self.average_price or ZERO) + fill.last_quantity * fill.last_price
            return to_unit(traded / (self.cumulative_quantity + fill.last_quantity))

    def _move(self, exec_type: ExecType, at: datetime) -> None:
        self.status = after(OrderStatus(self.status), exec_type)
        if self.status in CLOSED:
            self.closed_at = at

    def _tell(self, kind: type[E], at: datetime, **own: object) -> E:
        common = {
            "occurred_at": at,
            "order_id": self.id,
            "client_order_id": self.client_order_id,
            "account_id": self.account_id,
            "symbol": self.symbol,
            "side": self.side,
            "quantity": self.quantity,
            "strategy_id": self.strategy_id,
            "signal_id": self.signal_id,
        }
        return kind.model_validate(common | own)


class Fill(Base):
    """One execution at a venue."""

    __tablename__ = "fill"
    __table_args__ = (
        UniqueConstraint("order_id", "execution_id", name="fill_execution"),
        Index("fill_tenant", "tenant_id", "executed_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    account_id: Mapped[UUID] = mapped_column(ForeignKey("orders.account.id"))
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.order.id"))
    symbol: Mapped[str]
    side: Mapped[str]
    last_quantity: Mapped[Money]
    last_price: Mapped[Money]
    commission: Mapped[Money]
    currency: Mapped[str]
    venue: Mapped[str]
    execution_id: Mapped[str]
    """The venue's name for it; an order has one of that name, so that no execution counts twice."""
    executed_at: Mapped[Moment]
    created_at: Mapped[Moment] = mapped_column(server_default=func.now())


class Position(Base):
    """What an account holds of one instrument, short negative."""

    __tablename__ = "position"
    __table_args__ = (PrimaryKeyConstraint("account_id", "symbol", name="position_pkey"),)

    account_id: Mapped[UUID] = mapped_column(ForeignKey("orders.account.id"))
    symbol: Mapped[str]
    tenant_id: Mapped[UUID]
    quantity: Mapped[Money]
    last_price: Mapped[Money]
    """Of the last fill: the mark until a bar closes."""
    updated_at: Mapped[Moment] = mapped_column(server_default=func.now())


class Market(Base):
    """An instrument that orders are taken for."""

    __tablename__ = "market"

    symbol: Mapped[str] = mapped_column(primary_key=True)
    currency: Mapped[str | None]
    """None while only bars of it were heard of."""
    asset_class: Mapped[str | None]
    time_zone: Mapped[str | None]
    """As its listing says; None where that says none."""
    updated_at: Mapped[Moment] = mapped_column(server_default=func.now())


class BarRow(Base):
    """A bar of the venue as it is kept."""

    __tablename__ = "bar"
    __table_args__ = (PrimaryKeyConstraint("symbol", "timeframe", "open_time", name="bar_pkey"),)

    symbol: Mapped[str]
    timeframe: Mapped[str]
    open_time: Mapped[Moment]
    open: Mapped[Money]
    high: Mapped[Money]
    low: Mapped[Money]
    close: Mapped[Money]
    volume: Mapped[Decimal | None] = mapped_column(Numeric)
    """None where the market reports none."""
    backfilled: Mapped[bool] = mapped_column(server_default=text("false"))


class Entitlement(Base):
    """What a workspace may do, as billing last said."""

    __tablename__ = "entitlement"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    plan: Mapped[str]
    auto_trading: Mapped[bool]
    sequence: Mapped[int] = mapped_column(BigInteger)
    """Of the event that said so; an older one changes nothing."""


class RiskSetting(Base):
    """What a workspace's person wants to risk, as auth last said. Kept for a later change: no order is held to it yet."""

    __tablename__ = "risk_setting"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    risk_tolerance: Mapped[str]
    max_daily_loss: Mapped[Money]
    currency: Mapped[str]
    sequence: Mapped[int] = mapped_column(BigInteger)
    """Of the event that said so; an older one changes nothing."""
