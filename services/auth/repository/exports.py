"""What is the SQL of data exports? Parts come in any order, more than once, and only while somebody waits for them."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from libs.kit.db import Tx
from libs.schema.privacy import DataExportAnswered, DataExportPart
from services.auth.model import DataExport, ExportState


async def collecting(tx: Tx, user_id: UUID) -> DataExport | None:
    """The person's export that is being collected, locked, if there is one; the person's row is locked."""
    return await tx.scalar(
        select(DataExport)
        .where(DataExport.user_id == user_id, DataExport.state == ExportState.COLLECTING)
        .with_for_update()
    )


async def insert_part(tx: Tx, part: DataExportPart) -> None:
    """Keep a part, once, of an export that is being collected."""
    await tx.fetch(
        """
        INSERT INTO auth.data_export_part (export_id, context, number, tenant_id, about, content)
        SELECT e.id, $2, $3, e.tenant_id, $4, $5
        FROM (SELECT id, tenant_id FROM auth.data_export WHERE id = $1 AND state = 'COLLECTING' FOR SHARE) e
        ON CONFLICT DO NOTHING
        """,
        part.export_id,
        part.context,
        part.number,
        part.table,
        base64.b64decode(part.sealed),
    )


async def insert_answer(tx: Tx, told: DataExportAnswered) -> None:
    """Keep that a context has told all, once, for an export that is being collected."""
    await tx.fetch(
        """
        INSERT INTO auth.data_export_answer (export_id, context, tenant_id, parts, tables)
        SELECT e.id, $2, e.tenant_id, $3, $4::text::jsonb
        FROM (SELECT id, tenant_id FROM auth.data_export WHERE id = $1 AND state = 'COLLECTING' FOR SHARE) e
        ON CONFLICT DO NOTHING
        """,
        told.export_id,
        told.context,
        told.parts,
        json.dumps({held.table: held.rows for held in told.tables}),
    )


async def unasked(tx: Tx) -> UUID | None:
    """Somebody whose export nobody was asked for."""
    return await tx.scalar(
        select(DataExport.user_id)
        .where(DataExport.state == ExportState.COLLECTING, DataExport.asked_at.is_(None))
        .order_by(DataExport.id)
        .limit(1)
    )


async def complete(tx: Tx) -> UUID | None:
    """Somebody whose export has all its answers, and all the parts that these speak of."""
    rows = await tx.fetch(
        """
        SELECT e.user_id FROM auth.data_export e WHERE e.state = 'COLLECTING'
        AND NOT EXISTS (
            SELECT FROM jsonb_array_elements_text(e.holders) AS holder
            LEFT JOIN auth.data_export_answer a ON a.export_id = e.id AND a.context = holder
            WHERE a.parts IS DISTINCT FROM (
                SELECT count(*) FROM auth.data_export_part p WHERE p.export_id = e.id AND p.context = holder))
        ORDER BY e.id LIMIT 1
        """
    )
    return rows[0][0] if rows else None


async def expired(tx: Tx) -> UUID | None:
    """Somebody who has exports whose time is over."""
    return await tx.scalar(
        select(DataExport.user_id)
        .where(DataExport.state != ExportState.EXPIRED, DataExport.expires_at <= tx.now)
        .order_by(DataExport.expires_at)
        .limit(1)
    )


async def lock_expired(tx: Tx, user_id: UUID) -> Sequence[DataExport]:
    """A person's exports whose time is over, locked; the person's row is locked."""
    return await tx.scalars(
        select(DataExport)
        .where(DataExport.user_id == user_id, DataExport.state != ExportState.EXPIRED, DataExport.expires_at <= tx.now)
        .order_by(DataExport.id)
        .with_for_update()
    )


async def delete_parts(tx: Tx, export_id: UUID) -> None:
    """Delete what an export consists of."""
    await tx.fetch("DELETE FROM auth.data_export_part WHERE export_id = $1", export_id)
    await tx.fetch("DELETE FROM auth.data_export_answer WHERE export_id = $1", export_id)
