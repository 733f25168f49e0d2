"""What happens? Accounts open with a deposit, fills are posted, closes value those who hold the instrument."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from libs.kit.db import Tx
from libs.kit.errors import NotFound
from libs.kit.giving_way import giving_way
from services.portfolio import repository
from services.portfolio.model import Book, Fill, Mark, Opening, open_book
from services.portfolio.repository import Moment


async def open_books(tx: Tx, openings: Sequence[Opening]) -> None:
    """New accounts get books, and their first cash is a deposit."""
    posted = await repository.posted_events(tx, [opening.event_id for opening in openings])
    opened = [open_book(opening) for opening in openings if opening.event_id not in posted]
    if opened:
        await repository.insert_books(tx, [book for book, _ in opened])
        await repository.insert_entries(tx, [entry for _, entry in opened], {book.id: book for book, _ in opened})


async def post_fills(tx: Tx, fills: Sequence[Fill]) -> None:
    """A fill moves cash and a position, pays its fees, and corrects the history after it.

    Raises NotFound for an account whose books the workspace does not have, and Conflict for another currency.
    """
    books = await repository.lock_books(tx, {fill.account_id for fill in fills})
    # After the lock: nobody else can be posting the same events to these books.
    posted = await repository.posted_events(tx, [fill.event_id for fill in fills])
    new = [fill for fill in fills if fill.event_id not in posted]
    if not new:
        return
    entries = []
    for fill in new:
        book = _book_of(fill, books)
        entry, changed = book.post(fill)
        entries.append(entry)
        tx.publish(book, changed, cause=fill.cause)
    await repository.insert_entries(tx, entries, books)
    await repository.save_books(tx, books, new)
    first = {fill.account_id: fill for fill in sorted(new, key=lambda one: one.time, reverse=True)}
    await _value(tx, books, {moment: first[moment.account_id] for moment in await repository.moments_after(tx, new)})


async def lock_instruments(tx: Tx, closing: Collection[str], traded: Collection[str]) -> None:
    """Come before all that closes and fills of these instruments lock; of one instrument they are handled one by one."""
    await repository.lock_instruments(tx, closing, traded)


async def mark(tx: Tx, marks: Sequence[Mark]) -> None:
    """Those who hold an instrument are valued at its close, and again wherever a close that came late changes the past.

    The locks of the instruments must be held.
    """
    await repository.insert_marks(tx, marks)
    await _value_at(tx, marks)


async def correct_marks(tx: Tx, marks: Sequence[Mark]) -> None:
    """Closes that were wrong are replaced, and what was valued at them is valued again. Of one close the last one counts.

    The locks of the instruments must be held.
    """
    last = {(one.symbol, one.as_of): one for one in marks}
    await repository.update_marks(tx, list(last.values()))
    await _value_at(tx, list(last.values()))


async def _value_at(tx: Tx, marks: Sequence[Mark]) -> None:
    """Value those who hold what the marks are of, where these make a difference."""
    books = await repository.lock_books_of_holders(tx, marks)
    if not books:
        return
    moments = await repository.moments_reached(tx, marks)
    by_time = sorted(marks, key=lambda one: one.as_of)
    await _value(tx, books, {moment: _latest(by_time, moment.as_of) for moment in moments})


async def _value(tx: Tx, books: Mapping[UUID, Book], reasons: Mapping[Moment, Fill | Mark]) -> None:
    """Make or correct the points, and tell of those that are new or different."""
    event_ids = {moment: reason.event_id for moment, reason in reasons.items()}
    valuations = await repository.revalue(tx, event_ids)
    async for valuation in giving_way(valuations):
        book, reason = books[valuation.account_id], reasons[Moment(valuation.account_id, valuation.as_of)]
        tx.publish(book, *book.value(valuation), cause=reason.cause)
    await repository.save_versions(tx, [books[account] for account in {one.account_id for one in valuations}])


def _book_of(fill: Fill, books: Mapping[UUID, Book]) -> Book:
    book = books.get(fill.account_id)
    if book is None or book.tenant_id != fill.tenant_id:
        raise NotFound("account", fill.account_id)
    return book


def _latest(marks: Sequence[Mark], as_of: datetime) -> Mark:
    """The latest of the marks, which are in the order of their times, that a valuation at `as_of` can have seen."""
    return marks[bisect_right(marks, as_of, key=lambda one: one.as_of) - 1]
