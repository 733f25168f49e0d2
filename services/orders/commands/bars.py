"""What happens when a bar closes? It is kept, and the paper venue trades the open orders that it reaches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from libs.kit.db import Tx
from libs.kit.giving_way import giving_way
from libs.schema.event import Cause
from libs.schema.exchanges import reports_volume
from libs.schema.values import Symbol
from services.orders.commands.desk import save_changed
from services.orders.matching import Bar, Outcome, PaperVenue, match
from services.orders.model import Order
from services.orders.repository import accounts, markets, orders
from services.orders.repository.markets import Listing
from services.orders.repository.orders import Resting, Span


@dataclass(frozen=True, slots=True)
class ClosedBar:
    """A bar, and the event that told of it."""

    bar: Bar
    cause: Cause


@dataclass(frozen=True, slots=True)
class _Report:
    order: Order
    outcome: Outcome

    @property
    def place(self) -> tuple[datetime, int, datetime, UUID]:
        """Where it stands in the order in which things happened; of one moment, sales pay for purchases."""
        return self.outcome.at, self.order.sign, self.order.submitted_at, self.order.id


async def list_markets(tx: Tx, listings: Iterable[Listing]) -> None:
    """Take orders for these instruments from now on."""
    await markets.save_listings(tx, listings)


async def keep_markets(tx: Tx, closed: Iterable[Symbol], wanted: Iterable[Symbol]) -> None:
    """Lock the instruments of bars, and share those of signals, before any account is locked.

    An order locks its instrument first and then its account: whoever did it the other way round could deadlock with it.
    """
    await markets.lock_and_share(tx, closed, wanted)


async def match_bars(tx: Tx, venue: PaperVenue, closed: Sequence[ClosedBar]) -> None:
    """Keep new bars of the venue and tell what became of the orders that met them; no order meets imported history."""
    symbols = {one.bar.symbol for one in closed}
    await markets.lock(tx, symbols)
    await markets.save_listings(tx, [Listing(symbol, None) for symbol in symbols])
    bars = await _as_reported(tx, [one.bar for one in closed])
    await markets.save_bars(tx, bars)
    series: defaultdict[Symbol, list[Bar]] = defaultdict(list)
    causes: dict[Bar, Cause] = {}
    for bar, one in zip(bars, closed, strict=True):
        if not bar.backfilled:
            series[bar.symbol].append(bar)
            causes[bar] = one.cause
    if series:
        await _trade(tx, venue, series, causes)


async def _trade(
    tx: Tx, venue: PaperVenue, series: Mapping[Symbol, Sequence[Bar]], causes: Mapping[Bar, Cause]
) -> None:
    spans = [Span.of(bars) for bars in series.values()]
    account_ids = await orders.accounts_that_may_trade(tx, spans)
    if not account_ids:
        return
    books = await accounts.lock_books(tx, venue, account_ids)
    settled = []
    async for report in giving_way(_reports(await orders.that_may_trade(tx, venue, spans), series)):
        events = books[report.order.account_id].settle(report.order, report.outcome)
        tx.publish(report.order, *events, cause=causes[report.outcome.bar])
        settled.append(report.order)
    if settled:
        await orders.update_orders(tx, settled)
        await save_changed(tx, {order.account_id for order in settled}, books.values())


async def correct_bars(tx: Tx, bars: Sequence[Bar]) -> None:
    """Replace kept bars by what is right; of several of one bar, the last one counts. Nothing trades anew."""
    last = list({(bar.symbol, bar.open_time): bar for bar in bars}.values())
    await markets.update_bars(tx, await _as_reported(tx, last))


async def _as_reported(tx: Tx, bars: Sequence[Bar]) -> list[Bar]:
    """The bars without the volume of those whose market reports none: its zeros say nothing."""
    asset_classes = await markets.asset_classes(tx, {bar.symbol for bar in bars})
    return [
        bar if reports_volume(bar.symbol, asset_classes.get(bar.symbol)) else replace(bar, volume=None) for bar in bars
    ]


def _reports(resting: Sequence[Resting], series: Mapping[Symbol, Sequence[Bar]]) -> list[_Report]:
    """What becomes of the orders, in the order in which it happens."""
    matched = [(one.order, match(one.order.instruction, series[one.order.symbol], one.first_met)) for one in resting]
    return sorted((_Report(order, outcome) for order, outcome in matched if outcome), key=lambda report: report.place)
