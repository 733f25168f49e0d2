"""What is the SQL of data exports? Parts come in any order, more than once, and only while somebody waits for them."""

from __future__ import annotations

import base64
import json
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
    """An export that nobody was asked for, and that is due. Needs a worker's transaction, as all below do."""
    return await tx.scalar(
        select(DataExport.id)
        .where(DataExport.state == ExportState.COLLECTING, DataExport.asked_at.is_(None), DataExport.next_at <= tx.now)
        .order_by(DataExport.next_at, DataExport.id)
        .limit(1)
    )


async def complete(tx: Tx) -> UUID | None:
    """An export that has all its answers, and all the parts that these speak of, and that is due."""
    rows = await tx.fetch(
        """
        SELECT e.id FROM auth.data_export e WHERE e.state = 'COLLECTING' AND e.next_at <= $1
        AND NOT EXISTS (
            SELECT FROM jsonb_array_elements_text(e.holders) AS holder
            LEFT JOIN auth.data_export_answer a ON a.export_id = e.id AND a.context = holder
            WHERE a.parts IS DISTINCT FROM (
                SELECT count(*) FROM auth.data_export_part p WHERE p.export_id = e.id AND p.context = holder))
        ORDER BY e.next_at, e.id LIMIT 1
        """,
        tx.now,
    )
    return rows[0][0] if rows else None


async def expired(tx: Tx) -> UUID | None:
    """An export whose time is over, and that is due."""
    return await tx.scalar(
        select(DataExport.id)
        .where(DataExport.state != ExportState.EXPIRED, DataExport.expires_at <= tx.now, DataExport.next_at <= tx.now)
        .order_by(DataExport.next_at, DataExport.id)
        .limit(1)
    )


async def person_of(tx: Tx, export_id: UUID) -> UUID | None:
    """Whose export it is, or None when it went with them. People are locked before their exports."""
    return await tx.scalar(select(DataExport.user_id).where(DataExport.id == export_id))


async def lock(tx: Tx, export_id: UUID) -> DataExport | None:
    """An export, locked until the transaction ends, if it is there; its person's row is locked."""
    return await tx.scalar(select(DataExport).where(DataExport.id == export_id).with_for_update())


async def delete_parts(tx: Tx, export_id: UUID) -> None:
    """Delete what an export consists of."""
    await tx.fetch("DELETE FROM auth.data_export_part WHERE export_id = $1", export_id)
    await tx.fetch("DELETE FROM auth.data_export_answer WHERE export_id = $1", export_id)
