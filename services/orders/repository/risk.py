"""What is the SQL of risk? The newest word of auth on each workspace wins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from libs.kit.db import Tx
from libs.kit.newest import newest
from libs.schema.auth import RiskTolerance
from libs.schema.values import Currency


@dataclass(frozen=True, slots=True)
class RiskSettings:
    """What a workspace's person wants to risk, and the place of the event that said so."""

    tenant_id: UUID
    user_id: UUID
    risk_tolerance: RiskTolerance
    max_daily_loss: Decimal
    currency: Currency
    sequence: int


async def save_risk_settings(tx: Tx, said: Iterable[RiskSettings]) -> None:
    """Keep what people want to risk, unless something newer is known."""
    rows = [
        (one.tenant_id, one.user_id, one.risk_tolerance, one.max_daily_loss, one.currency, one.sequence)
        for one in newest(said)
    ]
    await tx.fetch(
        """
        INSERT INTO orders.risk_setting (tenant_id, user_id, risk_tolerance, max_daily_loss, currency, sequence)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::numeric[], $5::text[], $6::bigint[])
        ON CONFLICT (tenant_id) DO UPDATE
        SET user_id = excluded.user_id, risk_tolerance = excluded.risk_tolerance,
            max_daily_loss = excluded.max_daily_loss, currency = excluded.currency, sequence = excluded.sequence
        WHERE risk_setting.sequence < excluded.sequence
        """,
        *map(list, zip(*rows, strict=True)),
    )
