"""What must have become of the one who left? One certificate, one answer of each context, and nothing but what is kept."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import TypeAlias

import asyncpg

from libs.schema.event import DomainEvent
from libs.schema.privacy import (
    DataExportAnswered,
    DataExportRequested,
    ErasureRequested,
    PersonalDataErased,
    UserErased,
)
from tests.crashpoints.scenario import Run

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_KEPT = frozenset(
    {
        "auth.audit_entry", "auth.audit_chain", "auth.erasure", "auth.erasure_answer", "billing.subscription",
        "orders.account", "orders.order", "portfolio.book", "portfolio.journal_entry", "portfolio.posting",
    }
)  # fmt: skip
_ASKED_ONCE = (DataExportRequested, ErasureRequested, UserErased)
"""By auth."""
_ANSWERED_ONCE = (DataExportAnswered, PersonalDataErased)
"""By every context."""


async def wrong_departure(run: Run) -> list[str]:
    """What is not as it must be of the one who was erased."""
    wanted, found = _figures(run), await _found(run)
    return [f"{name}: {found[name]} instead of {wanted[name]}" for name in wanted if found[name] != wanted[name]]


def _figures(run: Run) -> Mapping[str, object]:
    names = [context.name for context in run.stage.contexts]
    return {
        "erasures": ["CERTIFIED"],
        "contexts certified": sorted(names),
        "answers kept": sorted(names),
        "open orders of who left": 0,
        "tables with rows of who left": sorted(_KEPT | {f"{name}.erased_workspace" for name in names}),
        **{f"auth told {event.__name__}": 1 for event in _ASKED_ONCE},
        **{f"{name} told {event.__name__}": 1 for name in names for event in _ANSWERED_ONCE},
    }


async def _found(run: Run) -> Mapping[str, object]:
    connection, leaver = run.stage.connection, run.leaver
    erasures = await connection.fetch("SELECT state, certificate FROM auth.erasure WHERE user_id = $1", leaver.user_id)
    answers = await connection.fetch(
        "SELECT context FROM auth.erasure_answer WHERE tenant_id = $1 ORDER BY context", leaver.workspace_id
    )
    waiting = await connection.fetchval(
        'SELECT count(*) FROM orders."order" WHERE tenant_id = $1 AND closed_at IS NULL', leaver.workspace_id
    )
    told = {
        f"{context.name} told {event.__name__}": await _times_told(run, context.name, event)
        for context in run.stage.contexts
        for event in (*_ASKED_ONCE, *_ANSWERED_ONCE)
    }
    return {
        "erasures": [row["state"] for row in erasures],
        "contexts certified": sorted(name for row in erasures for name in _certified(row["certificate"])),
        "answers kept": [row["context"] for row in answers],
        "open orders of who left": waiting,
        "tables with rows of who left": await _tables_with_rows(run),
        **told,
    }


def _certified(certificate: str | None) -> list[str]:
    """The contexts that a compact JWS speaks of."""
    payload = (certificate or "..").split(".")[1]
    said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)) or b"{}")
    return [one["context"] for one in said.get("contexts", ())]


async def _times_told(run: Run, context: str, event: type[DomainEvent]) -> int:
    sql = f"SELECT count(*) FROM {context}.event_log WHERE type = $1 AND tenant_id = $2"
    count: int = await run.stage.connection.fetchval(sql, event.type(), run.leaver.workspace_id)
    return count


async def _tables_with_rows(run: Run) -> list[str]:
    """Those that still name the person or the workspace that was theirs, but for logs of messages."""
    connection: Connection = run.stage.connection
    owners = await connection.fetch(
        """
        SELECT format('%I.%I', n.nspname, c.relname) AS name, array_agg(a.attname::text) AS columns
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'event_log'
          AND a.attname IN ('tenant_id', 'user_id') AND a.atttypid = 'uuid'::regtype
        GROUP BY 1
        """
    )
    ids = [run.leaver.workspace_id, run.leaver.user_id]
    found = []
    for row in owners:
        whose = " OR ".join(f"{column} = ANY($1::uuid[])" for column in row["columns"])
        if await connection.fetchval(f"SELECT EXISTS (SELECT FROM {row['name']} WHERE {whose})", ids):
            found.append(row["name"].replace('"', ""))
    return sorted(found)
