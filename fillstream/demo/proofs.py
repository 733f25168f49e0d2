"""Is it true? Each proof is computed from the databases and topics, by other code than made the figures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias
from uuid import UUID

import asyncpg

from fillstream.contexts import Context
from fillstream.demo.backtests import Execution, backtest
from fillstream.demo.tenant import Tenant
from fillstream.demo.topics import read_ids
from fillstream.installation import Installation
from libs.kit.settings import Settings
from services.marketdata.model import Bar

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@dataclass(frozen=True, slots=True)
class Proof:
    """A statement and whatever contradicts it."""

    name: str
    statement: str
    looked_at: str
    violations: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing contradicts it."""
        return not self.violations


@dataclass(frozen=True)
class Evidence:
    """Where the proofs look, and what they compare with."""

    installation: Installation
    contexts: Sequence[Context]
    tenants: Sequence[Tenant]
    bars: Sequence[Bar]

    @property
    def settings(self) -> Settings:
        """How to reach the servers."""
        return self.installation.settings(Settings)

    async def connect(self) -> Connection:
        """The database, as its administrator."""
        return await asyncpg.connect(self.settings.database_url.get_secret_value())


async def prove(evidence: Evidence) -> list[Proof]:
    """Every proof, in the order in which a doubter would ask."""
    database = await evidence.connect()
    try:
        return [
            await _events_consumed_once(database, evidence),
            await _books_balance(database, evidence),
            await _stream_equals_backtest(database, evidence),
            await _users_were_told(database, evidence),
        ]
    finally:
        await database.close()


async def count_events(evidence: Evidence) -> int:
    """How many events were published."""
    database = await evidence.connect()
    try:
        return len(await _published(database, evidence))
    finally:
        await database.close()


async def _published(database: Connection, evidence: Evidence) -> dict[UUID, str]:
    logs = " UNION ALL ".join(f"SELECT event_id, type FROM {context.name}.event_log" for context in evidence.contexts)
    return {row["event_id"]: row["type"] for row in await database.fetch(logs)}


async def _events_consumed_once(database: Connection, evidence: Evidence) -> Proof:
    """What the logs hold is in the topics; what a context listens to is in its inbox; nothing is left over."""
    published = await _published(database, evidence)
    in_topics = await read_ids(evidence.settings)
    violations = [f"event {id_} is in a log but in no topic" for id_ in published.keys() - in_topics]
    violations += [f"event {id_} is in a topic but in no log" for id_ in in_topics - published.keys()]
    consumptions = 0
    for context in evidence.contexts:
        name = context.name
        wanted = {event.type() for event in context.listens_to()}
        due = {id_ for id_, type_ in published.items() if type_ in wanted}
        handled = Counter(row[0] for row in await database.fetch(f"SELECT event_id FROM {name}.inbox"))
        consumptions += handled.total()
        violations += [f"{name} did not consume {published[id_]} {id_}" for id_ in due - handled.keys()]
        violations += [f"{name} consumed {id_}, which nobody published" for id_ in handled.keys() - due]
        violations += [f"{name} consumed {id_} {count} times" for id_, count in handled.items() if count > 1]
        for table in ("outbox", "dead_letter"):
            if left := await database.fetchval(f"SELECT count(*) FROM {name}.{table}"):
                violations.append(f"{name} has {left} rows in {table}")
    return Proof(
        "events_consumed_once",
        "every published event was consumed once by each of its consumers, and no dead letter is left",
        f"{len(published)} events, {consumptions} consumptions",
        tuple(violations),
    )


async def _books_balance(database: Connection, evidence: Evidence) -> Proof:
    """Debits equal credits; cash by the postings plus positions by the fills at the last closes is the equity told."""
    violations = [
        f"workspace {row['tenant_id']}: debits exceed credits by {row['sum']} {row['currency']}"
        for row in await database.fetch(
            "SELECT tenant_id, currency, sum(amount) FROM portfolio.posting GROUP BY 1, 2 HAVING sum(amount) <> 0"
        )
    ]
    closes = {bar.symbol: bar.close for bar in evidence.bars}
    for tenant in evidence.tenants:
        cash = await database.fetchval(
            "SELECT sum(p.amount) FROM portfolio.posting p JOIN portfolio.journal_entry e ON e.id = p.entry_id "
            "WHERE e.account_id = $1 AND p.ledger_account = 'cash'",
            tenant.account_id,
        )
        held: defaultdict[str, Decimal] = defaultdict(Decimal)
        for fill in await _fills(database, tenant):
            held[fill.symbol] += fill.quantity if fill.side == "BUY" else -fill.quantity
        worth = cash + sum(quantity * closes[symbol] for symbol, quantity in held.items())
        told = await _final_equity(database, tenant)
        if worth != told:
            violations.append(
                f"{tenant.workspace.name}: cash and positions are worth {worth}, the equity told is {told}"
            )
    postings = await database.fetchval("SELECT count(*) FROM portfolio.posting")
    return Proof(
        "books_balance",
        "debits equal credits in every workspace and currency, and cash + positions at market = equity",
        f"{postings} postings",
        tuple(violations),
    )


async def _stream_equals_backtest(database: Connection, evidence: Evidence) -> Proof:
    """Trade by trade, and the final equity, to the cent."""
    violations: list[str] = []
    compared = 0
    for tenant in evidence.tenants:
        expected = backtest(tenant.workspace, evidence.bars)
        streamed = await _fills(database, tenant)
        compared += len(streamed)
        name = tenant.workspace.name
        violations += [f"{name}: only the stream has {trade}" for trade in streamed if trade not in expected.trades]
        violations += [f"{name}: only the backtest has {trade}" for trade in expected.trades if trade not in streamed]
        if len(streamed) != len(expected.trades):
            violations.append(f"{name}: {len(streamed)} trades streamed, {len(expected.trades)} in the backtest")
        told = await _final_equity(database, tenant)
        if told != expected.equity:
            violations.append(f"{name}: equity {told} streamed, {expected.equity} in the backtest")
    return Proof(
        "stream_equals_backtest",
        "the streamed trades and the final equity equal those of the backtest, to the cent",
        f"{compared} trades",
        tuple(violations),
    )


async def _users_were_told(database: Connection, evidence: Evidence) -> Proof:
    """A notification for each fill, with its figures, and none beside."""
    violations: list[str] = []
    compared = 0
    for tenant in evidence.tenants:
        filled = Counter(await _fills(database, tenant))
        told = Counter(await _told_fills(database, tenant))
        compared += told.total()
        name = tenant.workspace.name
        violations += [f"{name}: {count} x not told: {fill}" for fill, count in (filled - told).items()]
        violations += [f"{name}: {count} x told, but not filled: {fill}" for fill, count in (told - filled).items()]
    return Proof(
        "notifications_match_fills",
        "what each user was told matches the fills",
        f"{compared} notifications",
        tuple(violations),
    )


async def _fills(database: Connection, tenant: Tenant) -> list[Execution]:
    rows = await database.fetch(
        "SELECT executed_at, symbol, side, last_quantity, last_price, commission FROM orders.fill "
        "WHERE tenant_id = $1 ORDER BY executed_at, symbol",
        tenant.id,
    )
    return [Execution(*row) for row in rows]


async def _told_fills(database: Connection, tenant: Tenant) -> list[Execution]:
    rows = await database.fetch(
        "SELECT occurred_at, metadata->>'symbol', metadata->>'side', (metadata->>'quantity')::numeric, "
        "(metadata->>'price')::numeric, (metadata->>'commission')::numeric FROM notifications.notification "
        "WHERE tenant_id = $1 AND metadata ? 'fill_id'",
        tenant.id,
    )
    return [Execution(*row) for row in rows]


async def _final_equity(database: Connection, tenant: Tenant) -> Decimal:
    equity: Decimal = await database.fetchval(
        "SELECT equity FROM portfolio.equity_point WHERE account_id = $1 ORDER BY as_of DESC LIMIT 1", tenant.account_id
    )
    return equity
