"""What can be read? A workspace's strategies, signals and backtests, and the bars that backtests run on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, tuple_

from libs.kit.db import Tx
from libs.kit.errors import Invalid, NotFound
from libs.kit.http.pagination import PageRequest
from libs.schema.signals import StrategyStatus
from libs.schema.values import SignalType, Symbol, Timeframe, UtcDatetime
from services.signals.model import Backtest, BarRow, Instrument, Signal, Strategy
from services.signals.rules import Bar

MAX_BARS = 20_000
"""How many bars one backtest takes."""


@dataclass(frozen=True, slots=True)
class StrategyFilter:
    """Which strategies; None leaves a field open."""

    symbol: Symbol | None = None
    status: StrategyStatus | None = None


@dataclass(frozen=True, slots=True)
class SignalFilter:
    """Which signals, with `start` <= time of the signal < `end`; None leaves a field open."""

    strategy_id: UUID | None = None
    symbol: Symbol | None = None
    signal_type: SignalType | None = None
    start: UtcDatetime | None = None
    end: UtcDatetime | None = None


@dataclass(frozen=True, slots=True)
class BarRange:
    """Bars of one instrument with `start` <= open time < `end`; None leaves an end open."""

    symbol: Symbol
    timeframe: Timeframe
    start: datetime | None = None
    end: datetime | None = None


async def strategies(tx: Tx, wanted: StrategyFilter, page: PageRequest) -> Sequence[Strategy]:
    """Strategies that are not deleted, the oldest first."""
    statement = select(Strategy).where(Strategy.status != StrategyStatus.DELETED)
    if wanted.symbol is not None:
        statement = statement.where(Strategy.symbol == wanted.symbol)
    if wanted.status is not None:
        statement = statement.where(Strategy.status == wanted.status)
    if page.after is not None:
        statement = statement.where(tuple_(Strategy.created_at, Strategy.id) > (page.after.at, page.after.id))
    return await tx.scalars(statement.order_by(Strategy.created_at, Strategy.id).limit(page.limit + 1))


async def strategy(tx: Tx, strategy_id: UUID) -> Strategy:
    """One strategy that is not deleted. Raises NotFound."""
    statement = select(Strategy).where(Strategy.id == strategy_id, Strategy.status != StrategyStatus.DELETED)
    found = await tx.scalar(statement)
    if found is None:
        raise NotFound("strategy", strategy_id)
    return found


async def signals(tx: Tx, wanted: SignalFilter, page: PageRequest) -> Sequence[Signal]:
    """Signals, the newest first."""
    statement = select(Signal)
    if wanted.strategy_id is not None:
        statement = statement.where(Signal.strategy_id == wanted.strategy_id)
    if wanted.symbol is not None:
        statement = statement.where(Signal.symbol == wanted.symbol)
    if wanted.signal_type is not None:
        statement = statement.where(Signal.signal_type == wanted.signal_type)
    if wanted.start is not None:
        statement = statement.where(Signal.occurred_at >= wanted.start)
    if wanted.end is not None:
        statement = statement.where(Signal.occurred_at < wanted.end)
    if page.after is not None:
        statement = statement.where(tuple_(Signal.occurred_at, Signal.id) < (page.after.at, page.after.id))
    return await tx.scalars(statement.order_by(Signal.occurred_at.desc(), Signal.id.desc()).limit(page.limit + 1))


async def bars(tx: Tx, wanted: BarRange) -> list[Bar]:
    """The bars for a backtest in the order of their times. Raises Invalid when there are none, or too many."""
    statement = select(BarRow).where(BarRow.symbol == wanted.symbol, BarRow.timeframe == wanted.timeframe)
    if wanted.start is not None:
        statement = statement.where(BarRow.open_time >= wanted.start)
    if wanted.end is not None:
        statement = statement.where(BarRow.open_time < wanted.end)
    found = [row.bar() for row in await tx.scalars(statement.order_by(BarRow.open_time).limit(MAX_BARS + 1))]
    if not found:
        raise Invalid(
            "/symbol", f"there are no {wanted.timeframe} bars of {wanted.symbol} in this range", slug="no-bars"
        )
    if len(found) > MAX_BARS:
        raise Invalid(
            "/start", f"the range holds more than {MAX_BARS} bars: choose a shorter one", slug="too-many-bars"
        )
    return found


async def instrument(tx: Tx, symbol: Symbol) -> Instrument | None:
    """What is known of an instrument, or None when it was not heard of yet."""
    return await tx.scalar(select(Instrument).where(Instrument.symbol == symbol))


async def backtest(tx: Tx, backtest_id: UUID) -> Backtest:
    """One backtest. Raises NotFound."""
    found = await tx.scalar(select(Backtest).where(Backtest.id == backtest_id))
    if found is None:
        raise NotFound("backtest", backtest_id)
    return found
