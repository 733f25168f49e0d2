"""What orders hear and do, with defaults that make sense."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from libs.kit.ids import uuid7
from libs.schema.billing import EntitlementsChanged
from libs.schema.marketdata import BarClosed, BarCorrected, InstrumentListed
from libs.schema.signals import SignalGenerated
from libs.schema.values import OrderType, Side, SignalType, Symbol, Timeframe, TimeInForce
from services.orders.life_cycle import OrderStatus
from services.orders.matching import Bar, Instruction, PaperVenue
from services.orders.model import Account, AccountStatus, Order

VENUE = PaperVenue(Timeframe.D1, Decimal("0.001"))
MONDAY = datetime(2011, 3, 7, tzinfo=UTC)
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    """Midnight of the first, second... day."""
    return MONDAY + timedelta(days=number - 1)


def ahead(days: int) -> datetime:
    """Midnight of a day that lies ahead of what is ordered over HTTP now."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=days)


def a_bar(
    opens_at: datetime,
    open_: str | Decimal = "100",
    *,
    low: str | Decimal | None = None,
    high: str | Decimal | None = None,
    close: str | Decimal | None = None,
    timeframe: Timeframe = Timeframe.D1,
    symbol: Symbol = "AAPL",
    volume: str | Decimal | None = "1000",
) -> Bar:
    opened, closed = Decimal(open_), Decimal(close or open_)
    return Bar(
        symbol,
        timeframe,
        opens_at,
        opened,
        max(opened, closed) if high is None else Decimal(high),
        min(opened, closed) if low is None else Decimal(low),
        closed,
        None if volume is None else Decimal(volume),
    )


def told(bar: Bar) -> BarClosed:
    return BarClosed(
        occurred_at=bar.close_time, symbol=bar.symbol, timeframe=bar.timeframe, open_time=bar.open_time,
        open=bar.open, high=bar.high, low=bar.low, close=bar.close, volume=Decimal(0) if bar.volume is None else bar.volume,
    )  # fmt: skip


def corrected(bar: Bar, previous: Bar) -> BarCorrected:
    """What market data tells when a bar was wrong."""
    return BarCorrected(
        occurred_at=bar.close_time, symbol=bar.symbol, timeframe=bar.timeframe, open_time=bar.open_time,
        open=bar.open, high=bar.high, low=bar.low, close=bar.close, volume=Decimal(1000),
        previous_open=previous.open, previous_high=previous.high, previous_low=previous.low,
        previous_close=previous.close, previous_volume=Decimal(1000),
    )  # fmt: skip


def listed(
    symbol: Symbol = "AAPL", currency: str = "USD", *, asset_class: str = "EQUITY", time_zone: str | None = None
) -> InstrumentListed:
    return InstrumentListed(
        occurred_at=MONDAY, instrument_id=uuid7(), symbol=symbol, name=symbol, asset_class=asset_class,
        currency=currency, time_zone=time_zone,
    )  # fmt: skip


def entitled(workspace_id: UUID, *, auto_trading: bool = True) -> EntitlementsChanged:
    return EntitlementsChanged(
        occurred_at=MONDAY, workspace_id=workspace_id, plan="pro", max_strategies=10, auto_trading=auto_trading
    )


def a_signal(
    at: datetime,
    target: str = "100",
    *,
    strategy_id: UUID | None = None,
    signal_type: SignalType = SignalType.BUY,
    price: str = "100",
    symbol: Symbol = "AAPL",
) -> SignalGenerated:
    return SignalGenerated(
        occurred_at=at, signal_id=uuid7(), strategy_id=strategy_id or uuid7(), strategy_name="trend", symbol=symbol,
        timeframe=Timeframe.D1, signal_type=signal_type, quantity=Decimal(100), target_position=Decimal(target),
        confidence=Decimal(1), entry_price=Decimal(price), indicators={},
    )  # fmt: skip


def an_instruction(
    side: Side = Side.BUY,
    limit: str | Decimal | None = None,
    *,
    at: datetime = MONDAY,
    time_in_force: TimeInForce = TimeInForce.GTC,
    zone: str = "UTC",
) -> Instruction:
    order_type = OrderType.MARKET if limit is None else OrderType.LIMIT
    return Instruction(side, order_type, None if limit is None else Decimal(limit), time_in_force, at, ZoneInfo(zone))


def an_account(cash: str | Decimal = "10000") -> Account:
    return Account(
        id=uuid7(), tenant_id=uuid7(), name="paper", broker="paper", currency="USD", initial_cash=Decimal(cash),
        cash=Decimal(cash), reserved=Decimal(0), auto_trading=True, status=AccountStatus.ACTIVE, version=1,
    )  # fmt: skip


def an_order(
    side: Side = Side.BUY,
    quantity: str | Decimal = "100",
    limit: str | Decimal | None = None,
    *,
    symbol: Symbol = "AAPL",
    reference: str | Decimal | None = "100",
    status: OrderStatus = OrderStatus.PENDING_NEW,
    account: Account | None = None,
) -> Order:
    price = limit if limit is not None else reference
    return Order(
        id=uuid7(), tenant_id=account.tenant_id if account else uuid7(), account_id=account.id if account else uuid7(),
        client_order_id="mine", symbol=symbol, side=side,
        order_type=OrderType.MARKET if limit is None else OrderType.LIMIT, time_in_force=TimeInForce.GTC,
        quantity=Decimal(quantity), limit_price=None if limit is None else Decimal(limit),
        reference_price=None if price is None else Decimal(price), status=status, cumulative_quantity=Decimal(0),
        commission=Decimal(0), submitted_at=MONDAY, version=0,
    )  # fmt: skip
