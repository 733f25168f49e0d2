"""What happens? Strategies are made, paused, resumed and deleted; bars make signals; backtests are kept."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from libs.kit.db import Tx
from libs.kit.errors import Conflict, Invalid
from libs.kit.giving_way import giving_way
from libs.kit.newest import newest
from libs.schema.signals import StrategyStatus
from services.signals import repository
from services.signals.model import (
    Backtest,
    ClosedBar,
    Entitlements,
    Instrument,
    LiveStrategy,
    Strategy,
    StrategyDraft,
    ToldEntitlements,
)
from services.signals.rules import Bar

_RETRY_SECONDS = 1
# What the event's field can say; beyond it the figures mean nothing.
_MAX_RETURN = 10**12


async def create_strategy(tx: Tx, tenant_id: UUID, user_id: UUID, draft: StrategyDraft) -> Strategy:
    """Let a strategy begin with the next bar that closes.

    Raises Forbidden when the plan allows no more strategies, and Conflict while billing has not said what it allows.
    """
    entitlements = _known(await repository.lock_entitlements(tx, tenant_id))
    entitlements.allow_one_more(await repository.count_strategies(tx, tenant_id))
    strategy = Strategy.create(draft, tenant_id, user_id)
    tx.add(strategy)
    tx.publish(strategy, *strategy.changed(tx.now))
    await tx.flush()
    return strategy


async def move_strategy(tx: Tx, strategy_id: UUID, status: StrategyStatus) -> Strategy:
    """Pause or delete. Raises NotFound, and Conflict when it stands there already."""
    strategy = await repository.lock_strategy(tx, strategy_id)
    tx.publish(strategy, *strategy.move_to(status, tx.now))
    return strategy


async def resume_strategy(tx: Tx, tenant_id: UUID, strategy_id: UUID) -> Strategy:
    """Let a paused strategy go on.

    Raises NotFound, Conflict when it is at work already or billing has not said what the plan allows, and Forbidden
    when as many strategies are at work as the plan allows.
    """
    # First, as for all who count: two that resume are counted one after the other.
    entitlements = await repository.lock_entitlements(tx, tenant_id)
    strategy = await repository.lock_strategy(tx, strategy_id)
    active = await repository.count_active(tx, tenant_id)
    resumed = strategy.move_to(StrategyStatus.ACTIVE, tx.now)
    _known(entitlements).allow_one_more_at_work(active)
    tx.publish(strategy, *resumed)
    return strategy


def _known(entitlements: Entitlements | None) -> Entitlements:
    if entitlements is None:
        raise Conflict(
            "what the workspace's plan allows is not known yet: try again in a moment",
            slug="entitlements-unknown",
            retry_after=_RETRY_SECONDS,
        )
    return entitlements


async def evaluate_bars(tx: Tx, bars: Sequence[ClosedBar]) -> None:
    """Keep the bars, and let every active strategy on their instruments look at them in their order."""
    await repository.insert_bars(tx, [closed.bar for closed in bars])
    watching: dict[repository.SeriesKey, list[LiveStrategy]] = {closed.bar.series: [] for closed in bars}
    for series, strategy in await repository.lock_live_strategies(tx, watching):
        watching[series].append(strategy)
    async for closed in giving_way(bars):
        for strategy in watching[closed.bar.series]:
            signal = strategy.take(closed)
            if signal is not None:
                tx.add(signal)
                tx.publish(strategy, signal.generated(), cause=closed.cause)
    looked = [strategy for strategies in watching.values() for strategy in strategies]
    if looked:
        await repository.save_live_strategies(tx, looked)


async def correct_bars(tx: Tx, bars: Sequence[Bar]) -> None:
    """Let backtests run on the bars as they are right; of several of one bar, the last one counts."""
    await repository.update_bars(tx, list({(*bar.series, bar.open_time): bar for bar in bars}.values()))


async def note_entitlements(tx: Tx, told: Sequence[ToldEntitlements]) -> None:
    """Keep the newest word on each workspace, and pause what its plan does not allow any more: all but the oldest.

    A plan that allows more again resumes nothing: the bars meanwhile went unseen, and what was held may be sold.
    """
    words = {word.tenant_id: word for word in newest(told)}
    await repository.upsert_entitlements(tx, [word.entitlements for word in words.values()])
    for strategy in await repository.lock_beyond_limits(tx, words):
        word = words[strategy.tenant_id]
        tx.publish(strategy, *strategy.pause_for_plan(word.at), cause=word.cause)


async def note_instruments(tx: Tx, instruments: Sequence[Instrument]) -> None:
    """Keep what market data says of instruments."""
    await repository.upsert_instruments(tx, instruments)


async def record_backtest(tx: Tx, backtest: Backtest) -> Backtest:
    """Keep a finished backtest. Raises Invalid when its return is too large to mean anything."""
    if abs(backtest.report.metrics.total_return) > _MAX_RETURN:
        raise Invalid("/size", "is out of all proportion to initial_cash")
    tx.add(backtest)
    tx.publish(backtest, *backtest.completed(tx.now))
    await tx.flush()
    return backtest
