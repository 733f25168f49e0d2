"""Who asked over the bus? Bars, instruments, signals, entitlements, risk settings, and people who go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from libs.kit.db import Tx
from libs.kit.handlers import Handlers, on
from libs.kit.personal_data.answers import answers
from libs.kit.personal_data.erased import unless_erased
from libs.kit.personal_data.holdings import Subject
from libs.schema.auth import RiskSettingsChanged
from libs.schema.billing import EntitlementsChanged
from libs.schema.event import Cause, Envelope
from libs.schema.marketdata import BarClosed, BarCorrected, InstrumentListed
from libs.schema.signals import SignalGenerated
from services.orders.commands.accounts import change_entitlements
from services.orders.commands.bars import ClosedBar, correct_bars, keep_markets, list_markets, match_bars
from services.orders.commands.erasures import withdraw_orders
from services.orders.commands.risk import change_risk_settings
from services.orders.commands.signals import Wish, trade_signals
from services.orders.matching import Bar
from services.orders.personal_data import HOLDINGS
from services.orders.repository.accounts import Entitled
from services.orders.repository.markets import Listing
from services.orders.repository.risk import RiskSettings
from services.orders.settings import Settings


@on(InstrumentListed)
async def take_orders_for_it(tx: Tx, listed: Sequence[Envelope[InstrumentListed]]) -> None:
    """An instrument that is listed can be ordered."""
    await list_markets(tx, [_listing(one.event) for one in listed])


@on(EntitlementsChanged)
async def remember_entitlements(tx: Tx, changed: Sequence[Envelope[EntitlementsChanged]]) -> None:
    """Whether signals are traded depends on the plan."""
    said = [Entitled(one.event.workspace_id, one.event.plan, one.event.auto_trading, one.sequence) for one in changed]
    await change_entitlements(tx, said)


@on(RiskSettingsChanged)
async def remember_risk_settings(tx: Tx, changed: Sequence[Envelope[RiskSettingsChanged]]) -> None:
    """What a person wants to risk is kept beside their accounts; no order is held to it yet."""
    await change_risk_settings(tx, [_risk_settings(one) for one in changed])


def handlers(settings: Settings) -> Handlers:
    """What this context listens to."""
    venue = settings.paper_venue

    async def lock_first(
        tx: Tx, told: Sequence[Envelope[BarClosed] | Envelope[BarCorrected] | Envelope[SignalGenerated]]
    ) -> None:
        bars = [one.event for one in told if isinstance(one.event, BarClosed | BarCorrected)]
        closed = {bar.symbol for bar in bars if bar.timeframe is venue.timeframe}
        await keep_markets(tx, closed, {one.event.symbol for one in told if isinstance(one.event, SignalGenerated)})

    @on(BarClosed, lock_first)
    async def fill_orders(tx: Tx, closed: Sequence[Envelope[BarClosed]]) -> None:
        """A bar of the venue trades the orders that it reaches, unless it is imported history."""
        bars = [_closed_bar(one) for one in closed if one.event.timeframe is venue.timeframe]
        if bars:
            await match_bars(tx, venue, bars)

    @on(BarCorrected, lock_first)
    async def correct_what_is_known(tx: Tx, corrected: Sequence[Envelope[BarCorrected]]) -> None:
        """What an instrument closed at is told right from now on; fills in the wrong bar stand."""
        bars = [_bar(one.event) for one in corrected if one.event.timeframe is venue.timeframe]
        if bars:
            await correct_bars(tx, bars)

    @on(SignalGenerated, lock_first)
    async def order_what_strategies_want(tx: Tx, generated: Sequence[Envelope[SignalGenerated]]) -> None:
        """A signal is traded where its workspace allows it."""
        await trade_signals(tx, venue, [_wish(one) for one in generated])

    async def withdraw(tx: Tx, gone: Subject, cause: Cause) -> None:
        await withdraw_orders(tx, venue, gone.workspace_ids, cause)

    return (
        # First: whoever waits for an erasure holds no instrument meanwhile.
        *unless_erased(remember_entitlements, remember_risk_settings, order_what_strategies_want),
        take_orders_for_it,
        fill_orders,
        correct_what_is_known,
        *answers(HOLDINGS, settings, withdraw),
    )


def _risk_settings(told: Envelope[RiskSettingsChanged]) -> RiskSettings:
    event = told.event
    return RiskSettings(
        event.workspace_id, event.user_id, event.risk_tolerance, event.max_daily_loss, event.currency, told.sequence
    )


def _listing(event: InstrumentListed) -> Listing:
    return Listing(event.symbol, event.currency, event.asset_class, event.time_zone)


def _closed_bar(told: Envelope[BarClosed]) -> ClosedBar:
    return ClosedBar(replace(_bar(told.event), backfilled=told.event.backfilled), told.follow())


def _bar(event: BarClosed | BarCorrected) -> Bar:
    return Bar(
        event.symbol, event.timeframe, event.open_time, event.open, event.high, event.low, event.close, event.volume
    )


def _wish(told: Envelope[SignalGenerated]) -> Wish:
    event = told.event
    return Wish(
        signal_id=event.signal_id,
        tenant_id=told.tenant,
        strategy_id=event.strategy_id,
        symbol=event.symbol,
        target_position=event.target_position,
        reference_price=event.entry_price,
        at=event.occurred_at,
        cause=told.follow(),
    )
