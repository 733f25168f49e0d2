"""Who asked over the bus? Instruments, closed and corrected bars, what billing allows a workspace, and people who go."""

from __future__ import annotations

from collections.abc import Sequence

from libs.kit.db import Tx
from libs.kit.handlers import Handlers, on
from libs.kit.personal_data.answers import answers
from libs.kit.personal_data.erased import unless_erased
from libs.schema.billing import EntitlementsChanged
from libs.schema.event import Envelope
from libs.schema.marketdata import BarClosed, BarCorrected, InstrumentListed
from services.signals import commands
from services.signals.model import ClosedBar, Entitlements, Instrument, ToldEntitlements
from services.signals.personal_data import HOLDINGS
from services.signals.rules import Bar
from services.signals.settings import Settings


@on(BarClosed)
async def evaluate_bars(tx: Tx, envelopes: Sequence[Envelope[BarClosed]]) -> None:
    """Every active strategy looks at the bars of its instrument; imported ones warm it up."""
    await commands.evaluate_bars(tx, [_closed_bar(envelope) for envelope in envelopes])


@on(BarCorrected)
async def correct_bars(tx: Tx, envelopes: Sequence[Envelope[BarCorrected]]) -> None:
    """Backtests run on what is right from now on; what strategies decided on the wrong bar stands."""
    await commands.correct_bars(tx, [_bar(envelope.event) for envelope in envelopes])


@on(InstrumentListed)
async def note_instruments(tx: Tx, envelopes: Sequence[Envelope[InstrumentListed]]) -> None:
    """Keep what backtests go by."""
    await commands.note_instruments(tx, [_instrument(envelope.event) for envelope in envelopes])


@on(EntitlementsChanged)
async def note_entitlements(tx: Tx, envelopes: Sequence[Envelope[EntitlementsChanged]]) -> None:
    """Keep what the plans allow, and hold the strategies to it."""
    await commands.note_entitlements(tx, [_entitlements(envelope) for envelope in envelopes])


def handlers(settings: Settings) -> Handlers:
    """What this context listens to."""
    return (
        note_instruments,
        evaluate_bars,
        correct_bars,
        *unless_erased(note_entitlements),
        *answers(HOLDINGS, settings),
    )


def _closed_bar(envelope: Envelope[BarClosed]) -> ClosedBar:
    return ClosedBar(_bar(envelope.event), envelope.id, envelope.follow(), envelope.event.backfilled)


def _bar(event: BarClosed | BarCorrected) -> Bar:
    return Bar(
        event.symbol, event.timeframe, event.open_time, event.open, event.high, event.low, event.close, event.volume
    )


def _instrument(event: InstrumentListed) -> Instrument:
    return Instrument(symbol=event.symbol, currency=event.currency, asset_class=event.asset_class)


def _entitlements(envelope: Envelope[EntitlementsChanged]) -> ToldEntitlements:
    event = envelope.event
    entitlements = Entitlements(
        tenant_id=event.workspace_id,
        plan=event.plan,
        max_strategies=event.max_strategies,
        sequence=envelope.sequence,
    )
    return ToldEntitlements(entitlements, event.occurred_at, envelope.follow())
