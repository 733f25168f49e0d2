"""How is an order placed? Against the locked books of its account, and the bars that were there before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from libs.kit.db import Tx
from libs.schema.event import DomainEvent
from libs.schema.values import Currency, Side, Symbol, TimeInForce
from services.orders.book import Book, Marks
from services.orders.matching import Bar, PaperVenue, match
from services.orders.model import Denial, DenialReason, Fill, Order
from services.orders.repository import accounts, markets, orders
from services.orders.repository.markets import Listing, Since


@dataclass(frozen=True, slots=True)
class Intent:
    """An account that is about to place an order, and the bars that the order would meet."""

    account_id: UUID
    since: Since


@dataclass(frozen=True, slots=True)
class Desk:
    """All that placing orders needs, loaded and locked."""

    listings: Mapping[Symbol, Listing]
    books: Mapping[UUID, Book]
    marks: Marks
    bars: Mapping[Since, Sequence[Bar]]

    def place(self, order: Order) -> list[DomainEvent]:
        """Check the order and, if it is accepted, let it meet the bars that are known already."""
        book = self.books[order.account_id]
        order.day_zone = self._day_zone(order)
        reduces = order.quantity <= book.line(order.symbol).reducible(Side(order.side))
        # Whoever got in before the currency was known gets out.
        denial = None if reduces else self._currency_mismatch(order, book.account.currency)
        if denial is not None:
            return order.deny(denial)
        events = book.place(order, self.marks)
        if order.closed_at is not None:
            return events
        outcome = match(order.instruction, self.bars[since(order)])
        return events if outcome is None else events + book.settle(order, outcome)

    def _day_zone(self, order: Order) -> str | None:
        if order.time_in_force != TimeInForce.DAY:
            return None
        return self.listings.get(order.symbol, Listing(order.symbol, None)).day_zone

    def _currency_mismatch(self, order: Order, own: Currency) -> Denial | None:
        listing = self.listings.get(order.symbol)
        if listing is None or listing.currency in {None, own}:
            return None
        detail = f"{order.symbol} trades in {listing.currency}, the account is kept in {own}"
        return Denial(DenialReason.CURRENCY_MISMATCH, detail)


def since(order: Order) -> Since:
    """The bars that an order meets."""
    return Since(order.symbol, order.submitted_at, order.instruction.bars_needed)


async def open_desk(tx: Tx, venue: PaperVenue, intents: Sequence[Intent]) -> Desk:
    """Keep bars of the instruments out and lock the accounts. Accounts that can't be seen are left out."""
    listings = await markets.share(tx, {intent.since.symbol for intent in intents})
    books = await accounts.lock_books(tx, venue, {intent.account_id for intent in intents})
    seen = [intent for intent in intents if intent.account_id in books]
    # What else is held only needs its last close.
    held = [
        Since(symbol, intent.since.moment, 0)
        for intent in seen
        for symbol in books[intent.account_id].lines.keys() - {intent.since.symbol}
    ]
    around = await markets.bars_around(tx, venue, [intent.since for intent in seen] + held)
    closes = {(since.symbol, since.moment): bars.last.close for since, bars in around.items() if bars.last is not None}
    return Desk(listings, books, Marks(closes), {since: bars.met for since, bars in around.items()})


async def save_placed(tx: Tx, placed: Sequence[Order], books: Iterable[Book]) -> None:
    """Keep new orders and all that they changed."""
    if not placed:
        return
    await orders.insert_orders(tx, placed)
    await save_changed(tx, {order.account_id for order in placed}, books)


async def save_changed(tx: Tx, account_ids: set[UUID], books: Iterable[Book]) -> None:
    """Keep fills, cash, reservations and positions of these accounts; the fills' orders are kept already."""
    changed = [book for book in books if book.account.id in account_ids]
    fills: list[Fill] = [fill for book in changed for fill in book.fills]
    await orders.insert_fills(tx, fills)
    await accounts.save_books(tx, changed)
