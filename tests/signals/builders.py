"""Bars and rules with sensible defaults, and the series that properties draw."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from hypothesis import strategies as st

from libs.schema.billing import EntitlementsChanged
from libs.schema.marketdata import BarClosed, BarCorrected
from libs.schema.values import SignalType, Timeframe
from services.signals.rules import PARAMETERS, Bar, Decision, Parameters, RuleState, start, step

MONDAY = datetime(2011, 3, 7, tzinfo=UTC)

prices = st.decimals(min_value=Decimal("0.01"), max_value=Decimal(1000), places=2)
parameters = st.sampled_from(
    [
        PARAMETERS.validate_python(chosen)
        for chosen in (
            {"kind": "sma_cross", "fast": 2, "slow": 5},
            {"kind": "rsi_reversion", "period": 3, "buy_below": "40", "sell_above": "60"},
            {"kind": "donchian", "entry": 4, "exit": 2, "stop_loss_pct": "5", "take_profit_pct": "12.5"},
            {"kind": "donchian", "entry": 3, "exit": 3, "allow_short": False},
        )
    ]
)


def rule(kind: str, **chosen: object) -> Parameters:
    """Validated parameters."""
    return PARAMETERS.validate_python({"kind": kind, **chosen})


def exactly(*values: int | str) -> tuple[Decimal, ...]:
    """These numbers as Decimals."""
    return tuple(Decimal(value) for value in values)


def a_bar(
    close: Decimal | int | str,
    *,
    day: int = 0,
    symbol: str = "AAPL",
    open_: Decimal | int | str | None = None,
    high: Decimal | int | str | None = None,
    low: Decimal | int | str | None = None,
) -> Bar:
    """A daily bar, `day` days after the first Monday; a point in price where nothing else is said."""
    last = Decimal(close)
    first = last if open_ is None else Decimal(open_)
    return Bar(
        symbol=symbol,
        timeframe=Timeframe.D1,
        open_time=MONDAY + timedelta(days=day),
        open=first,
        high=max(first, last) if high is None else Decimal(high),
        low=min(first, last) if low is None else Decimal(low),
        close=last,
        volume=Decimal(1000),
    )


def closes(*values: Decimal | int | str, symbol: str = "AAPL") -> list[Bar]:
    """Consecutive days with these closes and nothing around them."""
    return [a_bar(value, day=day, symbol=symbol) for day, value in enumerate(values)]


@st.composite
def bar_series(draw: st.DrawFn, min_size: int = 1, max_size: int = 60) -> list[Bar]:
    """Consecutive days with consistent random prices."""
    days = draw(st.lists(st.tuples(prices, prices, prices, prices), min_size=min_size, max_size=max_size))
    return [
        a_bar(close, day=day, open_=open_, high=max(open_, close, a, b), low=min(open_, close, a, b))
        for day, (open_, close, a, b) in enumerate(days)
    ]


def decisions(
    chosen: Parameters, bars: Sequence[Bar], state: RuleState | None = None
) -> tuple[RuleState, list[Decision]]:
    """The state after all bars, and what was decided on the way."""
    state = state or start(chosen)
    made = []
    for bar in bars:
        state, decision = step(chosen, state, bar)
        if decision:
            made.append(decision)
    return state, made


def signals(chosen: Parameters, bars: Sequence[Bar]) -> list[tuple[int, SignalType]]:
    """What was signalled, with the day of the bar."""
    return [((decision.decided_at - MONDAY).days - 1, decision.signal_type) for decision in decisions(chosen, bars)[1]]


def closed(bar: Bar) -> BarClosed:
    """What marketdata tells of a bar."""
    return BarClosed(
        occurred_at=bar.close_time,
        symbol=bar.symbol,
        timeframe=bar.timeframe,
        open_time=bar.open_time,
        open=bar.open,
        high=bar.high,
        low=bar.low,
        close=bar.close,
        volume=bar.volume,
    )


def corrected(bar: Bar, previous: Bar) -> BarCorrected:
    """What marketdata tells when a bar was wrong."""
    figures = {"open": bar.open, "high": bar.high, "low": bar.low, "close": bar.close, "volume": bar.volume}
    return BarCorrected(
        occurred_at=bar.close_time, symbol=bar.symbol, timeframe=bar.timeframe, open_time=bar.open_time, **figures,
        previous_open=previous.open, previous_high=previous.high, previous_low=previous.low,
        previous_close=previous.close, previous_volume=previous.volume,
    )  # fmt: skip


def allowed(workspace: UUID, *, strategies: int = 10, plan: str = "Pro") -> EntitlementsChanged:
    """What billing tells of a workspace's plan."""
    return EntitlementsChanged(
        occurred_at=MONDAY, workspace_id=workspace, plan=plan, max_strategies=strategies, auto_trading=True
    )


def a_strategy(**changes: object) -> dict[str, object]:
    """A request for a breakout strategy on AAPL that decides on every close beyond the bar before."""
    return {
        "name": "breakout",
        "symbol": "AAPL",
        "size": "100",
        "parameters": {"kind": "donchian", "entry": 1, "exit": 1},
    } | changes


def a_backtest(**changes: object) -> dict[str, object]:
    """A request for a backtest of the same rule."""
    return {key: value for key, value in a_strategy().items() if key != "name"} | changes
