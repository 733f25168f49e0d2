"""What happens when a bar closes? It is kept, and the paper venue trades the open orders that it reaches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from libs.kit.db import Tx
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
    """Keep new bars of the venue and tell what became of the orders that met them."""
    symbols = {one.bar.symbol for one in closed}
    await markets.lock(tx, symbols)
    await markets.save_listings(tx, [Listing(symbol, None) for symbol in symbols])
    closed = _as_reported(closed, await markets.asset_classes(tx, symbols))
    series: defaultdict[Symbol, list[Bar]] = defaultdict(list)
    for one in closed:
        series[one.bar.symbol].append(one.bar)
    await markets.save_bars(tx, [one.bar for one in closed])
    spans = [Span.of(bars) for bars in series.values()]
    account_ids = await orders.accounts_that_may_trade(tx, spans)
    if not account_ids:
        return
    books = await accounts.lock_books(tx, venue, account_ids)
    causes = {one.bar: one.cause for one in closed}
    settled = []
    for report in _reports(await orders.that_may_trade(tx, venue, spans), series):
        events = books[report.order.account_id].settle(report.order, report.outcome)
        tx.publish(report.order, *events, cause=causes[report.outcome.bar])
        settled.append(report.order)
    if settled:
        await orders.update_orders(tx, settled)
        await save_changed(tx, {order.account_id for order in settled}, books.values())


def _as_reported(closed: Sequence[ClosedBar], asset_classes: Mapping[Symbol, str | None]) -> list[ClosedBar]:
    """The bars without the volume of those whose market reports none: its zeros say nothing."""
    return [
        one
        if reports_volume(one.bar.symbol, asset_classes[one.bar.symbol])
        else replace(one, bar=replace(one.bar, volume=None))
        for one in closed
    ]


def _reports(resting: Sequence[Resting], series: Mapping[Symbol, Sequence[Bar]]) -> list[_Report]:
    """What becomes of the orders, in the order in which it happens."""
    matched = [(one.order, match(one.order.instruction, series[one.order.symbol], one.first_met)) for one in resting]
    return sorted((_Report(order, outcome) for order, outcome in matched if outcome), key=lambda report: report.place)
