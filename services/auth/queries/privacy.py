"""What can be read of exports and erasures? Those of a person, the parts of an archive, and a certificate by its token."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, tuple_

from libs.kit.crypto.encryption import Encryption
from libs.kit.db import Tx
from libs.kit.errors import Conflict, NotFound
from libs.kit.http.pagination import PageRequest, Position
from libs.kit.personal_data.parcels import Label
from services.auth.model import (
    DataExport,
    Erasure,
    ErasureState,
    ExportAnswer,
    ExportPart,
    ExportState,
    Membership,
    Workspace,
)
from services.auth.tokens import Ticket

_UNDER_WAY = (ErasureState.WAITING, ErasureState.CLOSED, ErasureState.ERASED)


def place(export: DataExport) -> Position:
    """Where an export stands in the list."""
    return Position(export.created_at, export.id)


async def exports(tx: Tx, user_id: UUID, page: PageRequest) -> Sequence[DataExport]:
    """The person's exports, the newest first, and one more than the page holds."""
    statement = select(DataExport).where(DataExport.user_id == user_id)
    if page.after is not None:
        statement = statement.where(tuple_(DataExport.created_at, DataExport.id) < (page.after.at, page.after.id))
    return await tx.scalars(
        statement.order_by(DataExport.created_at.desc(), DataExport.id.desc()).limit(page.limit + 1)
    )


async def private_key(tx: Tx, encryption: Encryption, home_id: UUID, user_id: UUID, export_id: UUID) -> bytes:
    """What opens the parts of a person's export. Raises NotFound, and Conflict when it is not there yet, or no more."""
    # Whoever holds a keyring keeps a rotation from destroying the key of what is read next.
    ring = await encryption.keyring(tx, home_id)
    export = await tx.scalar(select(DataExport).where(DataExport.id == export_id, DataExport.user_id == user_id))
    if export is None:
        raise NotFound("export", export_id)
    key = export.open_key(ring)
    if key is None or export.state != ExportState.READY or export.expires_at <= tx.now:
        raise Conflict(f"the export is {export.state.lower()}", slug="export-not-ready")
    return key


async def answers(tx: Tx, export_id: UUID) -> Sequence[ExportAnswer]:
    """What the contexts said, in the order of their names."""
    return await tx.scalars(
        select(ExportAnswer).where(ExportAnswer.export_id == export_id).order_by(ExportAnswer.context)
    )


async def labels(tx: Tx, export_id: UUID) -> Sequence[Label]:
    """Which parts there are: context by context, those of a table behind each other."""
    rows = await tx.fetch(
        "SELECT context, number, about FROM auth.data_export_part WHERE export_id = $1 ORDER BY context, number",
        export_id,
    )
    return [Label(export_id, *row) for row in rows]


async def part(tx: Tx, label: Label) -> bytes:
    """A part as it was sealed. Raises NotFound when it was deleted meanwhile."""
    content = await tx.scalar(
        select(ExportPart.content).where(
            ExportPart.export_id == label.export_id,
            ExportPart.context == label.context,
            ExportPart.number == label.number,
        )
    )
    if content is None:
        raise NotFound("part of export", label.export_id)
    return content


async def erasure(tx: Tx, user_id: UUID) -> Erasure | None:
    """The person's erasure that is under way, if there is one."""
    return await tx.scalar(select(Erasure).where(Erasure.user_id == user_id, Erasure.state.in_(_UNDER_WAY)))


async def erasure_by(tx: Tx, presented: Ticket) -> Erasure | None:
    """The erasure whose last mail had this token."""
    return await tx.scalar(select(Erasure).where(Erasure.ticket_hash == presented.digest))


async def erasure_of_id(tx: Tx, erasure_id: UUID) -> Erasure:
    """Any erasure, for an operator. Raises NotFound. Needs a worker's transaction."""
    found = await tx.scalar(select(Erasure).where(Erasure.id == erasure_id))
    if found is None:
        raise NotFound("erasure", erasure_id)
    return found


async def erasures_since(tx: Tx, since: datetime) -> Sequence[Erasure]:
    """The erasures that something happened to since then, the oldest first. Needs a worker's transaction."""
    return await tx.scalars(select(Erasure).where(Erasure.updated_at >= since).order_by(Erasure.id))


async def memberships(tx: Tx, user_id: UUID) -> Sequence[UUID]:
    """The workspaces that a person is in, whichever the transaction's is."""
    await tx.fetch("SELECT set_config('app.user_id', $1, true)", str(user_id))
    return await tx.scalars(
        select(Membership.tenant_id).where(Membership.user_id == user_id).order_by(Membership.tenant_id)
    )


async def others_depend_on(tx: Tx, user_id: UUID, workspace_id: UUID) -> bool:
    """Whether the person owns the transaction's workspace, and somebody else is in it."""
    owner_id = await tx.scalar(select(Workspace.owner_id).where(Workspace.id == workspace_id))
    other = await tx.scalar(
        select(Membership.user_id).where(Membership.tenant_id == workspace_id, Membership.user_id != user_id).limit(1)
    )
    return owner_id == user_id and other is not None
