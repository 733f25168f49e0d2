"""What is the SQL of tiers? The newest word of billing on each workspace wins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from libs.kit.db import Tx
from libs.kit.newest import newest


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan that a workspace is on, and the place of the event that said so."""

    tenant_id: UUID
    plan: str
    sequence: int


async def save_plans(tx: Tx, plans: Iterable[Plan]) -> None:
    """Keep which plans workspaces are on, unless something newer is known."""
    rows = [(one.tenant_id, one.plan, one.sequence) for one in newest(plans)]
    await tx.fetch(
        """
        INSERT INTO auth.tier (tenant_id, plan, sequence)
        SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[])
        ON CONFLICT (tenant_id) DO UPDATE SET plan = excluded.plan, sequence = excluded.sequence
        WHERE tier.sequence < excluded.sequence
        """,
        *map(list, zip(*rows, strict=True)),
    )
