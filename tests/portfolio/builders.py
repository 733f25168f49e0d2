"""Which trades and events do the portfolio's tests try? Hypothesis strategies, and events with sensible defaults."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from hypothesis import strategies as st

from libs.schema.marketdata import BarClosed
from libs.schema.orders import AccountOpened, OrderFilled
from libs.schema.values import Side, Timeframe
from services.portfolio.positions import Trade

# Small quantities next to fine ones, so that a sequence often closes exactly, closes in part and reverses.
QUANTITIES = st.one_of(
    st.integers(1, 5).map(Decimal),
    st.decimals(min_value=Decimal("1E-8"), max_value=Decimal(1000), places=8),
)
PRICES = st.decimals(min_value=Decimal("1E-8"), max_value=Decimal(100_000), places=8)
COMMISSIONS = st.decimals(min_value=0, max_value=50, places=2)
TRADES = st.builds(Trade, st.sampled_from(Side), QUANTITIES, PRICES)
PAID_TRADES = st.tuples(TRADES, COMMISSIONS)

DAY = timedelta(days=1)


def day(number: int) -> datetime:
    """The beginning of a day of March 2011, and of its bar."""
    return datetime(2011, 3, 1, tzinfo=UTC) + (number - 1) * DAY


def a_bar(number: int, close: str, symbol: str = "AAPL", timeframe: Timeframe = Timeframe.D1) -> BarClosed:
    """A bar that opens with the day."""
    price = Decimal(close)
    return BarClosed(
        occurred_at=day(number) + timeframe.duration,
        symbol=symbol,
        timeframe=timeframe,
        open_time=day(number),
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal(1000),
    )


def an_account(account_id: UUID, cash: str = "100000", currency: str = "USD") -> AccountOpened:
    """An account that was opened today, long after all bars."""
    return AccountOpened(
        occurred_at=datetime.now(UTC),
        account_id=account_id,
        name="Paper",
        currency=currency,
        initial_cash=Decimal(cash),
    )


def a_fill(
    account_id: UUID,
    number: int,
    side: Side,
    quantity: str,
    price: str,
    *,
    symbol: str = "AAPL",
    commission: str = "0",
    currency: str = "USD",
) -> OrderFilled:
    """An order that fills in full at the beginning of a day."""
    return OrderFilled(
        occurred_at=day(number),
        order_id=uuid4(),
        client_order_id="c",
        account_id=account_id,
        symbol=symbol,
        side=side,
        quantity=Decimal(quantity),
        fill_id=uuid4(),
        last_quantity=Decimal(quantity),
        last_price=Decimal(price),
        commission=Decimal(commission),
        currency=currency,
        cumulative_quantity=Decimal(quantity),
        leaves_quantity=Decimal(0),
        average_price=Decimal(price),
    )
