"""What is the SQL of the audit trail? Chains are locked in one order; entries are added in sets, and never changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from sqlalchemy import select

from libs.kit.db import Tx
from libs.kit.errors import NotFound
from libs.kit.ids import uuid7
from services.auth.audit.chain import Link, genesis
from services.auth.model import AuditChain


async def lock_chains(tx: Tx, workspace_ids: Collection[UUID]) -> dict[UUID, AuditChain]:
    """The workspaces' chains, made where they are missing, locked in one order so that two batches can't deadlock."""
    wanted = sorted(set(workspace_ids))
    await tx.fetch(
        """
        INSERT INTO auth.audit_chain (id, tenant_id, last_sequence, last_hash, signed_sequence, version)
        SELECT id, tenant_id, 0, genesis, 0, 0 FROM unnest($1::uuid[], $2::uuid[], $3::bytea[]) n (id, tenant_id, genesis)
        ON CONFLICT (tenant_id) DO NOTHING
        """,
        [uuid7() for _ in wanted],
        wanted,
        [genesis(workspace_id) for workspace_id in wanted],
    )
    rows = await tx.fetch(
        "SELECT tenant_id, last_sequence, last_hash FROM auth.audit_chain WHERE tenant_id = ANY($1::uuid[]) "
        "ORDER BY tenant_id FOR UPDATE",
        wanted,
    )
    return {row[0]: AuditChain(tenant_id=row[0], last_sequence=row[1], last_hash=row[2]) for row in rows}


async def recorded_events(tx: Tx, event_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the events that are in the trail already."""
    rows = await tx.fetch("SELECT event_id FROM auth.audit_entry WHERE event_id = ANY($1::uuid[])", list(event_ids))
    return {row[0] for row in rows}


async def insert_links(tx: Tx, links: Sequence[Link]) -> None:
    """Keep new entries, all in one statement."""
    await tx.fetch(
        """
        INSERT INTO auth.audit_entry (
            act, actor_id, actor_kind, address, correlation_id, device, event_id, occurred_at, on_behalf_of, reason,
            recorded_at, result, sequence, source, target_id, target_kind, tenant_id, previous_hash, hash)
        SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::uuid[],
                             $8::timestamptz[], $9::uuid[], $10::text[], $11::timestamptz[], $12::text[], $13::bigint[],
                             $14::text[], $15::text[], $16::text[], $17::uuid[], $18::bytea[], $19::bytea[])
        """,
        *map(list, zip(*((*one.entry, one.previous_hash, one.hash) for one in links), strict=True)),
    )


async def save_chains(tx: Tx, chains: Iterable[AuditChain]) -> None:
    """Keep how far the chains go."""
    kept = list(chains)
    await tx.fetch(
        """
        UPDATE auth.audit_chain c SET last_sequence = g.last_sequence, last_hash = g.last_hash, updated_at = now()
        FROM unnest($1::uuid[], $2::bigint[], $3::bytea[]) g (tenant_id, last_sequence, last_hash)
        WHERE c.tenant_id = g.tenant_id
        """,
        [chain.tenant_id for chain in kept],
        [chain.last_sequence for chain in kept],
        [chain.last_hash for chain in kept],
    )


async def lock_grown_chains(tx: Tx, limit: int) -> Sequence[AuditChain]:
    """Up to `limit` chains that grew since their head was signed, without those that another process works on."""
    statement = (
        select(AuditChain)
        .where(AuditChain.signed_sequence < AuditChain.last_sequence)
        .order_by(AuditChain.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return await tx.scalars(statement)


async def lock_chain(tx: Tx, workspace_id: UUID) -> AuditChain:
    """A workspace's chain, locked. Raises NotFound when nothing was recorded of it."""
    chain = await tx.scalar(select(AuditChain).where(AuditChain.tenant_id == workspace_id).with_for_update())
    if chain is None:
        raise NotFound("audit trail of workspace", workspace_id)
    return chain
