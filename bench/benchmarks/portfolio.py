"""How fast does the portfolio post fills? With all durable effects, against its own SQL fed from memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal

import asyncpg
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.effort import Effort
from bench.fills import ACCOUNTS, TENANT, accounts, put_in_topic, rows_of_fills
from bench.report import AtLeast, Row, compared
from bench.stage import Stage
from bench.turns import in_turns
from fillstream.contexts import Context, load
from libs.kit.codec import headers_of
from libs.kit.consumer import MAX_RECORDS, consumer
from libs.kit.db import Database, database
from libs.kit.dead_letters import Record
from libs.kit.inbox import Inbox, read
from libs.kit.outbox import OutboxRow

_LOOK_SECONDS = 0.02
_PING = ";"
_CASH = Decimal(1_000_000)
_OPEN_BOOKS = """
    INSERT INTO portfolio.book (id, tenant_id, name, currency, deposits, cash, realised_pnl, fees, version)
    SELECT id, $2, 'bench', 'USD', $3, $3, 0, 0, 0 FROM unnest($1::uuid[]) id
"""
_AS_IT_WAS = "UPDATE portfolio.book SET cash = deposits, realised_pnl = 0, fees = 0, version = 0"
_TABLES = ("position", "journal_entry", "posting", "equity_point", "inbox", "outbox", "event_log", "dead_letter")
_DONE = """
    SELECT (SELECT count(*) FROM inbox), (SELECT count(*) FROM journal_entry),
           (SELECT count(*) FROM posting WHERE ledger_account = 'cash'), (SELECT sum(quantity) FROM position),
           (SELECT sum(version) FROM book), (SELECT count(DISTINCT causation_id) FROM outbox)
"""


@dataclass(frozen=True)
class _Statement:
    sql: str
    rows: Sequence[Sequence[object]]
    """Its arguments; of more than one row where one statement is sent for many."""

    async def send(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        match self.rows:
            case [[]] | [()]:
                await connection.execute(self.sql)
            case [arguments]:
                await connection.fetch(self.sql, *arguments)
            case _:
                await connection.executemany(self.sql, self.rows)


@dataclass
class _Recording:
    """What a connection was told to do, in its order."""

    statements: list[_Statement] = field(default_factory=list)

    def of_sqlalchemy(
        self,
        _: Connection,
        __: object,
        sql: str,
        arguments: Sequence[object],
        ___: object,
        many: bool,  # noqa: FBT001 SQLAlchemy's signature
    ) -> None:
        # "Many" may also be one statement with the values of many rows.
        rows = list(arguments) if many and isinstance(arguments[0], tuple | list) else [arguments]
        self.statements.append(_Statement(sql, rows))

    def of_asyncpg(self, query: asyncpg.connection.LoggedQuery) -> None:
        # A pool's look whether the connection lives is no work, and executemany was heard of already.
        if query.query != _PING and isinstance(query.args, tuple):
            self.statements.append(_Statement(query.query, [query.args]))


@dataclass(frozen=True)
class _MemoryRecord:
    """A record that was never in Kafka."""

    row: OutboxRow
    offset: int
    partition: int = 0

    @property
    def topic(self) -> str:
        return self.row.topic

    @property
    def key(self) -> bytes:
        return self.row.key.encode()

    @property
    def value(self) -> bytes:
        return self.row.data.encode()

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        return headers_of(self.row, "orders")


async def measure(place: Stage) -> Sequence[Row]:
    """Fills a second from Kafka, and of the statements that they led to from memory."""
    count, context = place.sized(20_000, 2_000), load("portfolio")
    owners = accounts(ACCOUNTS)
    fills = rows_of_fills(count, owners)
    await put_in_topic(place.settings, fills)
    admin = await place.connect("portfolio")
    await admin.execute(_OPEN_BOOKS, owners, TENANT, _CASH)
    batches = await _recorded(place, context, fills)
    await _check(admin, count)

    effort = Effort()

    async def ours(group: str) -> float:
        await _begin_anew(place, admin)
        with effort.turn():
            seconds = await _from_kafka(place, context, group, count, admin)
        await _check(admin, count)
        return count / seconds

    async def limit(_: str) -> float:
        await _begin_anew(place, admin)
        seconds = await _from_memory(place, batches)
        await _check(admin, count)
        return count / seconds

    rates = await in_turns(place.sized(3, 1), {"ours": ours, "limit": limit})
    await admin.close()
    note = (
        "the limit: the statements that the handlers sent, recorded, and sent again by asyncpg on one connection; "
        + effort.note(count, "fill")
    )
    measured = "fills to inbox, ledger, positions, books, outbox"
    return [compared(measured, "1/s", rates["ours"], "its SQL from memory", rates["limit"], AtLeast(0.5), note=note)]


async def _begin_anew(place: Stage, admin: asyncpg.Connection[asyncpg.Record]) -> None:
    await place.reset(*(f"portfolio.{table}" for table in _TABLES))
    await admin.execute(_AS_IT_WAS)
    await admin.execute("VACUUM portfolio.book")


async def _check(admin: asyncpg.Connection[asyncpg.Record], fills: int) -> None:
    [counts] = await admin.fetch(_DONE)
    if set(counts) != {fills}:
        raise AssertionError(f"{fills} fills had the effects {tuple(counts)}")


async def _from_kafka(
    place: Stage, context: Context, group: str, fills: int, admin: asyncpg.Connection[asyncpg.Record]
) -> float:
    settings = place.where.of(context)
    async with database(settings, "portfolio") as db:
        started = time.perf_counter()
        async with consumer(db, settings, context.handlers(settings), group=group):
            # A book's version counts its fills, and there are few books.
            while await admin.fetchval("SELECT sum(version) FROM book") < fills:
                await asyncio.sleep(_LOOK_SECONDS)
            return time.perf_counter() - started


async def _from_memory(place: Stage, statements: Sequence[_Statement]) -> float:
    connection = await place.connect("portfolio")
    await connection.execute("SET ROLE portfolio_worker")
    started = time.perf_counter()
    for statement in statements:
        await statement.send(connection)
    seconds = time.perf_counter() - started
    await connection.close()
    return seconds


async def _recorded(place: Stage, context: Context, fills: Sequence[OutboxRow]) -> Sequence[_Statement]:
    """Handle the fills, in batches as large as the consumer's, and keep what the database was told to do."""
    settings = place.where.of(context, database_pool_size=1)
    recording = _Recording()
    async with database(settings, "portfolio") as db, _recording(db, recording):
        inbox = Inbox(db, context.handlers(settings))
        for first in range(0, len(fills), MAX_RECORDS):
            batch = fills[first : first + MAX_RECORDS]
            records: list[Record] = [_MemoryRecord(row, offset) for offset, row in enumerate(batch)]
            await inbox.take([read(record) for record in records])
    return recording.statements


@asynccontextmanager
async def _recording(db: Database, recording: _Recording) -> AsyncIterator[None]:
    """Listen to the worker's only connection, on both ways that lead to it."""
    async with db.work() as tx:
        connection = await tx.session.connection()
        driver = (await connection.get_raw_connection()).driver_connection
        engine: AsyncEngine = connection.engine
    driver.add_query_logger(recording.of_asyncpg)
    event.listen(engine.sync_engine, "before_cursor_execute", recording.of_sqlalchemy)
    yield
