"""Is the past told right? What every account was worth at every close, by the fills and closes before it."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from tests.proof.invariants.evidence import Evidence
from tests.proof.invariants.ledger import ZERO, Account, Fill, fills_in_portfolio, first_cash, money
from tests.proof.invariants.violation import Invariant


class _Closes:
    """The closes of each instrument, by their times."""

    def __init__(self, rows: Sequence[tuple[str, datetime, Decimal]]) -> None:
        self._times: defaultdict[str, list[datetime]] = defaultdict(list)
        self._closes: defaultdict[str, list[Decimal]] = defaultdict(list)
        for symbol, time, close in sorted(rows, key=lambda row: row[1]):
            self._times[symbol].append(time)
            self._closes[symbol].append(close)

    def at(self, symbol: str, moment: datetime, since: datetime) -> Decimal | None:
        """The last close by then and not before `since`."""
        place = bisect_right(self._times[symbol], moment)
        return self._closes[symbol][place - 1] if place and self._times[symbol][place - 1] >= since else None


async def the_history_follows_from_the_fills(evidence: Evidence) -> list[str]:
    """At every close, cash is what the fills before it left, and positions are worth their last closes."""
    closes = _Closes(
        [tuple(row) for row in await evidence.database.fetch("SELECT symbol, as_of, close FROM portfolio.mark")]
    )
    cash = await first_cash(evidence)
    fills: defaultdict[UUID, list[Fill]] = defaultdict(list)
    for fill in await fills_in_portfolio(evidence):
        fills[fill.account_id].append(fill)
    points: defaultdict[UUID, list[tuple[datetime, Decimal, Decimal]]] = defaultdict(list)
    for id_, *point in await evidence.database.fetch(
        "SELECT account_id, as_of, cash, market_value FROM portfolio.equity_point ORDER BY as_of"
    ):
        points[id_].append(tuple(point))
    return [
        f"account {id_} at {wrong}"
        for id_, own in points.items()
        for wrong in _wrong(Account(cash.get(id_, ZERO)), fills[id_], own, closes)
    ]


def _wrong(
    account: Account, fills: list[Fill], points: list[tuple[datetime, Decimal, Decimal]], closes: _Closes
) -> list[str]:
    """Go through fills and points by time; what happens at a close counts after it."""
    found, done = [], 0
    first = {fill.symbol: fill.time for fill in reversed(fills)}
    for moment, cash, worth in points:
        while done < len(fills) and fills[done].time < moment:
            account.cash += fills[done].cash
            account.held[fills[done].symbol] += fills[done].signed
            done += 1
        if cash != account.cash:
            found.append(f"{moment}: cash {cash}, by the fills {account.cash}")
        valued = _value(account, moment, closes, first)
        if valued is not None and worth != valued:
            found.append(f"{moment}: positions worth {worth}, by the fills and closes {valued}")
    return found


def _value(account: Account, moment: datetime, closes: _Closes, first: Mapping[str, datetime]) -> Decimal | None:
    """What is held at the last closes since the first fill; None where there is none yet: it is then valued at cost."""
    held = [
        (quantity, closes.at(symbol, moment, first[symbol])) for symbol, quantity in account.held.items() if quantity
    ]
    if any(close is None for _, close in held):
        return None
    return sum((money(quantity, close) for quantity, close in held if close is not None), ZERO)


async def every_close_of_what_was_held_has_its_point(evidence: Evidence) -> list[str]:
    """An account has a point at the closes of what it holds, or traded within the day before, and at no other moment.

    Imported history makes no points, and the history of somebody who was erased is not written any further.
    """
    moments: defaultdict[str, list[datetime]] = defaultdict(list)
    for symbol, moment in await evidence.database.fetch(
        "SELECT symbol, as_of FROM portfolio.mark WHERE NOT backfilled"
    ):
        moments[symbol].append(moment)
    due: defaultdict[UUID, set[datetime]] = defaultdict(set)
    for (account_id, symbol), own in _by_position(await fills_in_portfolio(evidence)).items():
        due[account_id].update(moment for moment in moments[symbol] if _calls_for_a_point(own, moment))
    kept: defaultdict[UUID, set[datetime]] = defaultdict(set)
    for account_id, moment in await evidence.database.fetch("SELECT account_id, as_of FROM portfolio.equity_point"):
        kept[account_id].add(moment)
    erased = await evidence.database.fetch(
        "SELECT id FROM portfolio.book JOIN portfolio.erased_workspace USING (tenant_id)"
    )
    return [
        f"account {id_} has no point at {moment}"
        for id_ in due.keys() - {id_ for [id_] in erased}
        for moment in due[id_] - kept[id_]
    ] + [f"account {id_} has a point at {moment}" for id_ in kept for moment in kept[id_] - due[id_]]


def _by_position(fills: Sequence[Fill]) -> Mapping[tuple[UUID, str], list[Fill]]:
    positions: defaultdict[tuple[UUID, str], list[Fill]] = defaultdict(list)
    for fill in fills:
        positions[fill.account_id, fill.symbol].append(fill)
    return positions


def _calls_for_a_point(fills: Sequence[Fill], moment: datetime) -> bool:
    before = [fill for fill in fills if fill.time < moment]
    traded = any(fill.time >= moment - timedelta(days=1) for fill in before)
    return traded or sum((fill.signed for fill in before), ZERO) != 0


INVARIANTS = (Invariant(the_history_follows_from_the_fills), Invariant(every_close_of_what_was_held_has_its_point))
