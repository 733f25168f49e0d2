"""Which SQL has the effects of a batch of fills, for one who writes it by hand for this one job?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import asyncpg

from libs.kit.ids import uuid7

_REGISTER = """
    INSERT INTO inbox (event_id, type) SELECT id, 'orders.OrderFilled.v1' FROM unnest($1::uuid[]) id
    ON CONFLICT DO NOTHING RETURNING event_id
"""
_ADD = """
    INSERT INTO position SELECT *, 1 FROM unnest($1::uuid[], $2::uuid[], $3::numeric[])
    ON CONFLICT (account_id) DO UPDATE
    SET quantity = position.quantity + excluded.quantity, version = position.version + 1
"""
_TELL = """
    INSERT INTO outbox (event_id, topic, key, type, tenant_id, subject, sequence, occurred_at, recorded_at,
                        correlation_id, causation_id, traceparent, data)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::uuid[], $7::bigint[],
                         $8::timestamptz[], $9::timestamptz[], $10::uuid[], $11::uuid[], $12::text[], $13::text[])
"""


@dataclass(frozen=True, slots=True)
class Message:
    """A record as far as it matters."""

    headers: Mapping[str, bytes]
    value: bytes

    @property
    def id(self) -> UUID:
        """The event's."""
        return UUID(self.headers["ce_id"].decode())


async def have_effects(connection: asyncpg.Connection[asyncpg.Record], messages: Sequence[Message]) -> None:
    """Inbox, upserted positions and one outbox row for each message that is new, in one transaction."""
    incoming = {message.id: message for message in messages}
    async with connection.transaction():
        rows = await connection.fetch(_REGISTER, list(incoming))
        quantities: dict[UUID, Decimal] = {}
        tenants: dict[UUID, UUID] = {}
        outgoing = []
        now = datetime.now(UTC)
        for (event_id,) in rows:
            headers, fill = incoming[event_id].headers, json.loads(incoming[event_id].value)
            account = UUID(fill["account_id"])
            tenants[account] = UUID(headers["ce_tenantid"].decode())
            quantities[account] = quantities.get(account, Decimal(0)) + Decimal(fill["last_quantity"])
            changed = json.dumps({
                "occurred_at": fill["occurred_at"], "account_id": fill["account_id"], "symbol": fill["symbol"],
                "currency": fill["currency"], "quantity": str(quantities[account]),
                "average_cost": fill["average_price"], "realised_pnl": "0.00", "fees": fill["commission"],
            })  # fmt: skip
            outgoing.append((
                uuid7(), "portfolio.v1", fill["account_id"], "portfolio.PositionChanged.v1", tenants[account], account, 1,
                now, now, UUID(headers["ce_correlationid"].decode()), event_id, None, changed,
            ))  # fmt: skip
        owners = [tenants[account] for account in quantities]
        await connection.execute(_ADD, list(quantities), owners, list(quantities.values()))
        await connection.execute(_TELL, *map(list, zip(*outgoing, strict=True)))
