"""Who asked over the bus? Orders open accounts and fill orders, market data closes and corrects bars, people go."""

from __future__ import annotations

from collections.abc import Sequence

from libs.kit.db import Tx
from libs.kit.handlers import Handlers, on
from libs.kit.personal_data.answers import answers
from libs.kit.personal_data.erased import erased_among, take_turns
from libs.schema.event import Envelope
from libs.schema.marketdata import BarClosed, BarCorrected
from libs.schema.orders import AccountOpened, OrderFilled
from services.portfolio import commands
from services.portfolio.model import Fill, Mark, Opening
from services.portfolio.personal_data import HOLDINGS
from services.portfolio.positions import Trade
from services.portfolio.settings import Settings


@on(AccountOpened, take_turns)
async def open_books(tx: Tx, accounts: Sequence[Envelope[AccountOpened]]) -> None:
    """An account gets its books; those of somebody who was erased are records without their words."""
    erased = await erased_among(tx, {envelope.tenant for envelope in accounts})
    openings = [_opening(envelope) for envelope in accounts]
    await commands.open_books(tx, [one.anonymised() if one.tenant_id in erased else one for one in openings])


def handlers(settings: Settings) -> Handlers:
    """What this context listens to."""
    timeframe = settings.portfolio_mark_timeframe

    async def lock_first(
        tx: Tx, told: Sequence[Envelope[BarClosed] | Envelope[BarCorrected] | Envelope[OrderFilled]]
    ) -> None:
        bars = [one.event for one in told if isinstance(one.event, BarClosed | BarCorrected)]
        traded = {one.event.symbol for one in told if isinstance(one.event, OrderFilled)}
        await commands.lock_instruments(tx, {bar.symbol for bar in bars if bar.timeframe is timeframe}, traded)

    @on(OrderFilled, lock_first)
    async def post_fills(tx: Tx, fills: Sequence[Envelope[OrderFilled]]) -> None:
        """A fill moves cash and a position, and pays its fees."""
        await commands.post_fills(tx, [_fill(envelope) for envelope in fills])

    @on(BarClosed, lock_first)
    async def mark(tx: Tx, bars: Sequence[Envelope[BarClosed]]) -> None:
        """A bar of the configured length values those who hold its instrument; others are not for us."""
        marks = [_mark(bar, bar.event.backfilled) for bar in bars if bar.event.timeframe is timeframe]
        if marks:
            await commands.mark(tx, marks)

    @on(BarCorrected, lock_first)
    async def correct_marks(tx: Tx, bars: Sequence[Envelope[BarCorrected]]) -> None:
        """What was valued at a wrong close is valued again; fills stay."""
        marks = [_mark(bar, backfilled=False) for bar in bars if bar.event.timeframe is timeframe]
        if marks:
            await commands.correct_marks(tx, marks)

    # Fills that come late from somebody who was erased are records, too.
    return (open_books, post_fills, mark, correct_marks, *answers(HOLDINGS, settings))


def _opening(envelope: Envelope[AccountOpened]) -> Opening:
    event = envelope.event
    return Opening(
        event_id=envelope.id,
        account_id=event.account_id,
        tenant_id=envelope.tenant,
        name=event.name,
        currency=event.currency,
        cash=event.initial_cash,
        time=event.occurred_at,
    )


def _fill(envelope: Envelope[OrderFilled]) -> Fill:
    event = envelope.event
    return Fill(
        event_id=envelope.id,
        cause=envelope.follow(),
        account_id=event.account_id,
        tenant_id=envelope.tenant,
        symbol=event.symbol,
        trade=Trade(event.side, event.last_quantity, event.last_price),
        commission=event.commission,
        currency=event.currency,
        time=event.occurred_at,
    )


def _mark(envelope: Envelope[BarClosed] | Envelope[BarCorrected], backfilled: bool) -> Mark:  # noqa: FBT001 a fact
    event = envelope.event
    return Mark(envelope.id, envelope.follow(), event.symbol, event.occurred_at, event.close, backfilled)
