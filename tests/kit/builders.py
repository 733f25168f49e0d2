"""Events for the kit's tests, with sensible defaults."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from libs.kit.ids import uuid7
from libs.schema.marketdata import BarClosed
from libs.schema.orders import OrderFilled
from libs.schema.values import Side, Timeframe

MORNING = datetime(2011, 3, 1, tzinfo=UTC)


def a_bar(symbol: str = "AAPL", day: int = 0) -> BarClosed:
    opened = MORNING + timedelta(days=day)
    return BarClosed(
        occurred_at=opened + timedelta(days=1),
        symbol=symbol,
        timeframe=Timeframe.D1,
        open_time=opened,
        open=Decimal(100),
        high=Decimal(110),
        low=Decimal(90),
        close=Decimal(105),
        volume=Decimal(1000),
    )


def a_fill(account_id: UUID | None = None) -> OrderFilled:
    return OrderFilled(
        occurred_at=MORNING,
        order_id=uuid7(),
        client_order_id="c-1",
        account_id=account_id or uuid7(),
        symbol="AAPL",
        side=Side.BUY,
        quantity=Decimal(100),
        fill_id=uuid7(),
        last_quantity=Decimal(100),
        last_price=Decimal("353.50"),
        commission=Decimal("35.35"),
        currency="USD",
        cumulative_quantity=Decimal(100),
        leaves_quantity=Decimal(0),
        average_price=Decimal("353.50"),
    )
