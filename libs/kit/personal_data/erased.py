"""Who was erased? Every context remembers the ids of their workspaces, so that what comes late makes nothing of theirs anew.

    return (*unless_erased(tell, queue_mails), post_fills, *answers(HOLDINGS, settings))

A handler that keeps records which the law wants kept, such as fills, goes without.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import Column, DateTime, MetaData, Table, Uuid

from libs.kit.db import Tx
from libs.kit.handlers import Handler, Handlers
from libs.schema.event import Envelope
from libs.schema.privacy import UserErased

_LOCK = "hashtextextended(current_schema() || '.erased_workspace', 0)"


def add_erased_workspaces(metadata: MetaData) -> None:
    """Describe the table in a context's metadata, as `libs.kit.migrations.erased_workspaces` makes it."""
    Table(
        "erased_workspace",
        metadata,
        Column("tenant_id", Uuid, primary_key=True),
        Column("erasure_id", Uuid, nullable=False),
        Column("erased_at", DateTime(timezone=True), nullable=False),
    )


async def take_turns(tx: Tx, told: Sequence[Envelope[Any]]) -> None:
    """Let a batch through, or let it erase alone if it has to. What comes before all handlers that depend on it.

    Named before whatever else takes locks: an erasure that is at work wants rows, so nobody who waits for it may hold one.
    """
    if any(isinstance(one.event, UserErased) for one in told):
        # At once: of two that were let through and want to be alone, each would wait for the other.
        await erase_alone(tx)
        return
    await _go_through(tx)


async def erase_alone(tx: Tx) -> None:
    """Wait until no handler that was let through is at work, and let none through before this transaction ends."""
    await tx.fetch(f"SELECT pg_advisory_xact_lock({_LOCK})")


async def _go_through(tx: Tx) -> None:
    await tx.fetch(f"SELECT pg_advisory_xact_lock_shared({_LOCK})")


async def remember(tx: Tx, workspace_ids: Collection[UUID], erasure_id: UUID) -> None:
    """Let nothing of these workspaces be made anew. Call `erase_alone` first."""
    await tx.fetch(
        "INSERT INTO erased_workspace (tenant_id, erasure_id, erased_at) SELECT id, $2, $3 FROM unnest($1::uuid[]) AS id "
        "ON CONFLICT DO NOTHING",
        list(workspace_ids),
        erasure_id,
        tx.now,
    )


async def erased_among(tx: Tx, workspace_ids: Collection[UUID]) -> frozenset[UUID]:
    """Those of the workspaces that were erased; of the others, none is until the transaction ends."""
    if not workspace_ids:
        return frozenset()
    # A statement of its own: the next one has to see what whoever held the lock has done.
    await _go_through(tx)
    rows = await tx.fetch(
        "SELECT tenant_id FROM erased_workspace WHERE tenant_id = ANY($1::uuid[])", list(workspace_ids)
    )
    return frozenset(row[0] for row in rows)


def unless_erased(*handlers: Handler[Any]) -> Handlers:
    """The same handlers, which are not told of what comes late from a workspace that was erased."""
    return tuple(_unless_erased(handler) for handler in handlers)


def _unless_erased(handler: Handler[Any]) -> Handler[Any]:
    async def handle(tx: Tx, envelopes: Sequence[Envelope[Any]]) -> None:
        erased = await erased_among(tx, {one.tenant_id for one in envelopes if one.tenant_id is not None})
        left = [one for one in envelopes if one.tenant_id not in erased]
        if left:
            await handler(tx, left)

    return replace(handler, function=handle, before=(take_turns, *handler.before))
