"""What must have become of a run? Exact figures, and in every table of every context what an undisturbed run left there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias
from uuid import UUID

import asyncpg

from tests.crashpoints.departures import wrong_departure
from tests.crashpoints.scenario import FIRST_FILL, INITIAL_CASH, LAST_FILL, SECOND_FILL, Run

Row = tuple[str, ...]
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_COMMISSION_RATE = Decimal("0.001")
_TRADES = (
    (Decimal(10), Decimal(FIRST_FILL.open)),
    (Decimal(5), Decimal(SECOND_FILL.open)),
    (Decimal(-10), Decimal(LAST_FILL.open)),
)
# To log in again, because the answer was lost, makes one more session, and one more act to be told and recorded. That is
# no harm.
# So does to ask for a mail again, or to invite somebody.
_MAY_HAVE_MORE = frozenset(
    {
        "auth.refresh_token", "auth.session", "auth.login_challenge", "auth.login", "auth.mailed_token", "auth.audit_entry",
        "auth.event_log", "auth.invitation", "notifications.mail",
    }
)  # fmt: skip
# Bars and fills come by topics of their own: a value is told once more when a fill comes after its bar, which is chance.
# Only the last of each moment counts; numbers that follow from how many there were are the checker's to judge.
# And how far an audit trail goes is told by the clock, and whenever auth starts.
_TOLD_AGAIN = """
    AND told.type <> 'auth.AuditHeadPublished.v1'
    AND NOT (told.type = 'portfolio.PortfolioValued.v1' AND EXISTS (
        SELECT FROM {table} later WHERE later.type = told.type AND later.subject = told.subject
        AND later.occurred_at = told.occurred_at AND later.sequence > told.sequence))
"""
_OF_WHO_LEFT = " of who left"
_SEALED = ("data", "certificate")
"""What is another text in every run, of the one who left: parts that only one key opens, and a signature."""
_NUMBERS = ("sequence", "version", "last_sequence", "signed_sequence", "last_step")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{16,}\b")
# The clock's, not the bars', which end with the day.
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d+(Z|\+00(:00)?)?")


@dataclass(frozen=True)
class Leftover:
    """What a run left in the tables that name its workspace, without what differs from run to run."""

    tables: Mapping[str, Counter[Row]]

    def differences(self, other: Leftover) -> list[str]:
        """What is more or less in the other one, a line for each table."""
        found = []
        for table in sorted(self.tables.keys() | other.tables.keys()):
            mine, its = self.tables.get(table, Counter()), other.tables.get(table, Counter())
            missing, surplus = mine - its, its - mine
            if missing or (surplus and table.removesuffix(_OF_WHO_LEFT) not in _MAY_HAVE_MORE):
                found.append(f"{table}: missing {_few(missing)}, surplus {_few(surplus)}")
        return found


def _few(rows: Counter[Row]) -> str:
    return f"{rows.total()} {[' '.join(row) for row in list(rows)[:2]]}" if rows else "0"


async def left_by(run: Run) -> Leftover:
    """All rows of the run's workspace, and of the one that was erased."""
    connection = run.stage.connection
    tables = {}
    for table, columns in (await _tables(connection)).items():
        name = table.replace('"', "")
        tables[name] = await _rows(run, table, columns, run.workspace_id)
        plain = [column for column in columns if column not in _SEALED]
        tables[f"{name}{_OF_WHO_LEFT}"] = await _rows(run, table, plain, run.leaver.workspace_id)
    return Leftover(tables)


async def _rows(run: Run, table: str, columns: Sequence[str], workspace_id: UUID) -> Counter[Row]:
    chosen = ", ".join(f'"{column}"::text' for column in columns)
    which = "WHERE tenant_id = $1" + (_TOLD_AGAIN.format(table=table) if table.endswith(".event_log") else "")
    rows = await run.stage.connection.fetch(f"SELECT {chosen} FROM {table} told {which}", workspace_id)
    return Counter(tuple(_without_names(run, value) for value in row) for row in rows)


async def _tables(connection: Connection) -> dict[str, list[str]]:
    """Every table with a tenant, and those of its columns that say the same in every run."""
    rows = await connection.fetch(
        """
        SELECT format('%I.%I', n.nspname, c.relname) AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^(pg_|information_schema)'
          AND a.attnum > 0 AND NOT a.attisdropped
          AND a.atttypid::regtype::text IN ('numeric', 'bigint', 'integer', 'smallint', 'text', 'boolean')
          AND a.attname != ALL($1::text[])
          AND EXISTS (SELECT FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attname = 'tenant_id')
        GROUP BY 1
        """,
        _NUMBERS,
    )
    return {row["name"]: row["columns"] for row in rows}


def _without_names(run: Run, value: str | None) -> str:
    if value is None:
        return "-"
    plain = _TIME.sub("@", _ID.sub("#", value))
    return plain.replace(run.name, "$").replace(run.name.lower(), "$")


async def wrong_figures(run: Run) -> list[str]:
    """What is not as plain reckoning says, and every record that nobody could read that is not seen to."""
    wanted, found = _figures(), await _found(run.stage.connection, run.workspace_id)
    wrong = [f"{name}: {found[name]} instead of {wanted[name]}" for name in wanted if found[name] != wanted[name]]
    return wrong + await wrong_departure(run) + await _wrong_letters(run)


def _figures() -> dict[str, object]:
    fees = sum(abs(quantity * price) * _COMMISSION_RATE for quantity, price in _TRADES)
    cash = Decimal(INITIAL_CASH) - sum(quantity * price for quantity, price in _TRADES) - fees
    held = sum(quantity for quantity, _ in _TRADES)
    return {
        "accounts": 1, "strategies": 1, "subscriptions": 1, "signals": 2, "orders": 6, "fills": len(_TRADES),
        "orders filled": 3, "orders canceled": 1, "orders denied": 1, "orders expired": 1, "cash in orders": cash,
        "cash in portfolio": cash, "held in orders": held, "held in portfolio": held, "reserved": Decimal(0),
        "notifications of fills": len(_TRADES), "notifications": 8,
    }  # fmt: skip


async def _found(connection: Connection, workspace_id: UUID) -> Mapping[str, object]:
    [row] = await connection.fetch(
        """
        SELECT (SELECT count(*) FROM orders.account WHERE tenant_id = $1) AS accounts,
               (SELECT count(*) FROM signals.strategy WHERE tenant_id = $1) AS strategies,
               (SELECT count(*) FROM billing.subscription WHERE tenant_id = $1) AS subscriptions,
               (SELECT count(*) FROM signals.signal WHERE tenant_id = $1) AS signals,
               (SELECT count(*) FROM orders."order" WHERE tenant_id = $1) AS orders,
               (SELECT count(*) FROM orders.fill WHERE tenant_id = $1) AS fills,
               (SELECT count(*) FROM orders."order" WHERE tenant_id = $1 AND status = 'FILLED') AS "orders filled",
               (SELECT count(*) FROM orders."order" WHERE tenant_id = $1 AND status = 'CANCELED') AS "orders canceled",
               (SELECT count(*) FROM orders."order" WHERE tenant_id = $1 AND status = 'DENIED') AS "orders denied",
               (SELECT count(*) FROM orders."order" WHERE tenant_id = $1 AND status = 'EXPIRED') AS "orders expired",
               (SELECT sum(cash) FROM orders.account WHERE tenant_id = $1) AS "cash in orders",
               (SELECT sum(reserved) FROM orders.account WHERE tenant_id = $1) AS reserved,
               (SELECT sum(cash) FROM portfolio.book WHERE tenant_id = $1) AS "cash in portfolio",
               (SELECT sum(quantity) FROM orders.position WHERE tenant_id = $1) AS "held in orders",
               (SELECT sum(quantity) FROM portfolio.position WHERE tenant_id = $1) AS "held in portfolio",
               (SELECT count(*) FROM notifications.notification WHERE tenant_id = $1) AS notifications,
               (SELECT count(*) FROM notifications.notification n JOIN orders.event_log e ON e.event_id = n.event_id
                WHERE n.tenant_id = $1 AND e.type = 'orders.OrderFilled.v1') AS "notifications of fills"
        """,
        workspace_id,
    )
    return dict(row)


async def _wrong_letters(run: Run) -> list[str]:
    """A poisoned key has one discarded record in each context that listens to its topic, and nothing open."""
    wrong = []
    for context in run.stage.contexts:
        rows = await run.stage.connection.fetch(
            f"SELECT state, resolved_at IS NULL AS open FROM {context.name}.dead_letter WHERE key = ANY($1::bytea[])",
            list(set(run.poison.values())),
        )
        wanted = sum(topic in context.topics() for topic in run.poison)
        discarded = sum(row["state"] == "discarded" for row in rows)
        if discarded != wanted or any(row["open"] for row in rows):
            wrong.append(f"dead letters of {context.name}: {[row['state'] for row in rows]}, {wanted} to be discarded")
    return wrong
