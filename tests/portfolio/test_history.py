"""Is the equity history the same in whatever order closes and fills arrive, and whoever handles them at once?

Handlers run on the real database; every example is rolled back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from functools import partial
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.kit.db import Database, Tx, database
from libs.kit.handlers import preparations_of
from libs.kit.ids import uuid7
from libs.kit.settings import Settings
from libs.kit.waves import waves
from libs.schema.event import Cause, DomainEvent, Envelope
from libs.schema.marketdata import BarClosed
from libs.schema.orders import OrderFilled
from libs.schema.values import Side
from services.portfolio.consumers import handlers
from services.portfolio.settings import Settings as PortfolioSettings
from tests.portfolio.builders import DAY, a_bar, a_fill, an_account, day
from tests.world import until_blocked

TENANT = UUID(int=7)
ACCOUNTS = (UUID(int=1), UUID(int=2))
SYMBOLS = ("AAPL", "IBM")
UNIT = Decimal("1E-8")
# Half a unit at an odd number of units is a tie: rounding it is where SQL and Decimal could disagree.
QUANTITIES = ("1", "2.5", "100", "0.5", "0.00000001")
PRICES = ("10", "11.33333333", "0.00000001", "0.00000003", "0.00000005", "9999.99999999")


class Undo(Exception):
    """Ends an example's transaction."""


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    async with database(Settings(database_url=database_url, kafka_bootstrap="none:1"), "portfolio") as opened:
        yield opened


@asynccontextmanager
async def undone(db: Database) -> AsyncIterator[Tx]:
    """A transaction of which nothing stays."""
    with suppress(Undo):
        async with db.work() as tx:
            yield tx
            raise Undo


def envelope(event: DomainEvent) -> Envelope[DomainEvent]:
    tenant = None if isinstance(event, BarClosed) else TENANT
    return Envelope(uuid7(), event, "test", uuid7(), 1, tenant, datetime.now(UTC), Cause(uuid7()))


async def handle(tx: Tx, events: Sequence[DomainEvent]) -> None:
    """Handle a batch as the inbox does."""
    ours = PortfolioSettings(database_url="postgresql://none/none", kafka_bootstrap="none:1")
    own = handlers(ours)
    by_event = {handler.event: handler for handler in own}
    told = [envelope(event) for event in events]
    for before in preparations_of(own):
        if concerned := [one for one in told if before in by_event[type(one.event)].before]:
            await before(tx, concerned)
    for kind, wave in waves(told):
        await by_event[kind](tx, wave)


async def history(tx: Tx) -> dict[tuple[UUID, datetime], tuple[Decimal, Decimal]]:
    await tx.flush()
    rows = await tx.fetch("SELECT account_id, as_of, cash, market_value FROM equity_point")
    return {(row[0], row[1]): (row[2], row[3]) for row in rows}


@dataclass(frozen=True)
class Delivery:
    """The events of some days, and an order of arrival that keeps the order within each key, cut into batches."""

    bars: Sequence[BarClosed]
    fills: Sequence[OrderFilled]
    batches: Sequence[Sequence[DomainEvent]]


@st.composite
def deliveries(draw: st.DrawFn) -> Delivery:
    queues: list[list[DomainEvent]] = []
    bars: list[BarClosed] = []
    fills: list[OrderFilled] = []
    for symbol in SYMBOLS:
        days = sorted(draw(st.sets(st.integers(1, 5), min_size=1)))
        of_symbol = [
            a_bar(number, draw(st.sampled_from(PRICES)), symbol).model_copy(update={"backfilled": draw(st.booleans())})
            for number in days
        ]
        bars += of_symbol
        queues.append([*of_symbol])
    for account in ACCOUNTS:
        # Times in order; half days, so that some fall on a close and some between.
        times = sorted(draw(st.lists(st.integers(0, 10), min_size=1, max_size=5)))
        of_account = [draw(a_trade(account, half)) for half in times]
        fills += of_account
        queues.append([*of_account])
    turns = draw(st.permutations([queue for queue in queues for _ in queue]))
    order = [queue.pop(0) for queue in turns]
    cuts = sorted(draw(st.sets(st.integers(0, len(order)), max_size=4)) | {0, len(order)})
    return Delivery(bars, fills, [order[a:b] for a, b in pairwise(cuts)])


@st.composite
def a_trade(draw: st.DrawFn, account: UUID, half_days: int) -> OrderFilled:
    fill = a_fill(
        account,
        1,
        draw(st.sampled_from(Side)),
        draw(st.sampled_from(QUANTITIES)),
        draw(st.sampled_from(PRICES)),
        symbol=draw(st.sampled_from(SYMBOLS)),
        commission=draw(st.sampled_from(("0", "0.01", "3.33"))),
    )
    return fill.model_copy(update={"occurred_at": day(1) + half_days * DAY / 2})


def rounded(value: Decimal) -> Decimal:
    return value.quantize(UNIT, ROUND_HALF_EVEN)


def is_due(delivery: Delivery, account: UUID, as_of: datetime) -> bool:
    """Whether something closes then that the account holds, or has traded within a day."""
    closing = {bar.symbol for bar in delivery.bars if bar.occurred_at == as_of and not bar.backfilled}
    for symbol in closing:
        trades = [f for f in trades_of(delivery, account, symbol) if f.occurred_at < as_of]
        held = sum((f.side.sign * f.last_quantity for f in trades), Decimal(0))
        if held or any(f.occurred_at >= as_of - DAY for f in trades):
            return True
    return False


def trades_of(delivery: Delivery, account: UUID, symbol: str) -> list[OrderFilled]:
    return [f for f in delivery.fills if f.account_id == account and f.symbol == symbol]


def expected_point(delivery: Delivery, account: UUID, as_of: datetime) -> tuple[Decimal, Decimal]:
    """From scratch: the fills before the close move cash and quantities; the last closes since the first fill value them."""
    cash, value = Decimal(100_000), Decimal(0)
    for symbol in SYMBOLS:
        trades = [f for f in trades_of(delivery, account, symbol) if f.occurred_at < as_of]
        for fill in trades:
            cash -= fill.side.sign * rounded(fill.last_quantity * fill.last_price) + fill.commission
        held = sum((f.side.sign * f.last_quantity for f in trades), Decimal(0))
        since = trades[0].occurred_at if trades else as_of
        closes = [b.close for b in delivery.bars if b.symbol == symbol and since <= b.occurred_at <= as_of]
        value += rounded(held * closes[-1]) if closes else cost_of(trades)
    return cash, value


def cost_of(trades: Sequence[OrderFilled]) -> Decimal:
    """Average cost once more, rounded where the ledger rounds."""
    held, cost = Decimal(0), Decimal(0)
    for trade in trades:
        quantity = trade.side.sign * trade.last_quantity
        closed = -max(min(-held, quantity), Decimal(0)) if held < 0 else min(max(-quantity, Decimal(0)), held)
        if closed:
            share = Fraction(cost) * Fraction(closed) / Fraction(held)
            units = Decimal(round(share * 10**8)).scaleb(-8)  # round() of a Fraction is half-even
            cost = cost - units if closed != held else Decimal(0)
        opened = quantity + closed
        whole = rounded(trade.last_quantity * trade.last_price)
        part = whole - rounded(abs(closed) * trade.last_price) if closed else whole
        cost += trade.side.sign * part if opened else Decimal(0)
        held += quantity
    return cost


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(deliveries())
async def test_the_history_does_not_depend_on_the_order_of_arrival(db: Database, delivery: Delivery) -> None:
    closes = {bar.occurred_at for bar in delivery.bars}
    async with undone(db) as tx:
        await handle(tx, [an_account(account) for account in ACCOUNTS])
        for batch in delivery.batches:
            await handle(tx, batch)
        assert await history(tx) == {
            (account, as_of): expected_point(delivery, account, as_of)
            for account in ACCOUNTS
            for as_of in closes
            if is_due(delivery, account, as_of)
        }
        assert await imbalance(tx) == []


async def imbalance(tx: Tx) -> list[object]:
    """Accounts whose ledger does not balance, or whose cash, gains or fees are not what the ledger says."""
    found: list[object] = []
    found += await tx.fetch("""
        SELECT b.id FROM book b
        JOIN journal_entry e ON e.account_id = b.id
        JOIN posting p ON p.entry_id = e.id
        GROUP BY b.id
        HAVING sum(p.amount) <> 0
            OR coalesce(sum(p.amount) FILTER (WHERE p.ledger_account = 'cash'), 0) <> b.cash
            OR coalesce(sum(-p.amount) FILTER (WHERE p.ledger_account = 'realised_pnl'), 0) <> b.realised_pnl
            OR coalesce(sum(p.amount) FILTER (WHERE p.ledger_account = 'commissions'), 0) <> b.fees
            OR coalesce(sum(-p.amount) FILTER (WHERE p.ledger_account = 'deposits'), 0) <> b.deposits
    """)
    found += await tx.fetch("""
        SELECT o.account_id, o.symbol FROM position o
        JOIN journal_entry e ON e.account_id = o.account_id
        JOIN posting p ON p.entry_id = e.id AND p.symbol = o.symbol
        GROUP BY o.id
        HAVING sum(p.amount) <> o.cost_basis OR sum(p.quantity) <> o.quantity
    """)
    return found


BAR = a_bar(2, "105")
BOUGHT = a_fill(ACCOUNTS[0], 2, Side.BUY, "100", "101")


@pytest.mark.parametrize(("first", "second"), [(BAR, BOUGHT), (BOUGHT, BAR)], ids=["the close first", "the fill first"])
async def test_a_close_and_a_fill_handled_at_once_lose_nothing(
    db: Database, first: DomainEvent, second: DomainEvent
) -> None:
    async with db.work() as tx:
        await handle(tx, [an_account(ACCOUNTS[0])])
    async with db.work() as tx:
        await handle(tx, [first])
        await tx.flush()
        waiting = asyncio.create_task(handle_alone(db, second))
        await until_blocked(partial(fetch, db))
    await waiting
    async with db.work() as tx:
        assert await history(tx) == {(ACCOUNTS[0], BAR.occurred_at): (Decimal(89_900), Decimal(10_500))}


async def test_two_closes_of_one_moment_handled_at_once_lose_nothing(db: Database) -> None:
    async with db.work() as tx:
        await handle(tx, [an_account(ACCOUNTS[0])])
        for symbol in SYMBOLS:
            await handle(tx, [a_fill(ACCOUNTS[0], 1, Side.BUY, "1", "100", symbol=symbol)])
    async with db.work() as tx:
        await handle(tx, [a_bar(1, "110", "AAPL")])
        waiting = asyncio.create_task(handle_alone(db, a_bar(1, "120", "IBM")))
        await until_blocked(partial(fetch, db))
    await waiting
    async with db.work() as tx:
        assert await history(tx) == {(ACCOUNTS[0], day(2)): (Decimal(99_800), Decimal(230))}


async def handle_alone(db: Database, event: DomainEvent) -> None:
    async with db.work() as tx:
        await handle(tx, [event])


async def fetch(db: Database, sql: str) -> Sequence[object]:
    async with db.work() as tx:
        return await tx.fetch(sql)
