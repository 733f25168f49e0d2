"""Who asked over HTTP? People who want all that is held about them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Self
from uuid import UUID

from fastapi import Depends
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from libs.kit.db import Database
from libs.kit.http.app import Db, RequestCause
from libs.kit.http.origin import RequestOrigin
from libs.kit.http.pagination import Page, PageRequest, page, page_request
from libs.kit.http.rate_limits import per_user
from libs.kit.http.routes import Router
from libs.kit.security import fresh
from libs.schema.values import UtcDatetime
from services.auth.api.parts import AllParts, FreshDb, Somebody
from services.auth.archive import Piece, archive
from services.auth.commands.acts import tell_of_download
from services.auth.commands.exports import request_export
from services.auth.model import DataExport, ExportState
from services.auth.queries import privacy

router = Router()

_ZIP = "application/zip"


class ExportOut(BaseModel):
    """An export of what is held about the caller."""

    id: UUID
    state: ExportState
    created_at: UtcDatetime
    ready_at: UtcDatetime | None
    expires_at: UtcDatetime
    """Until when it can be downloaded; before it is READY, until when its answers are waited for."""

    @classmethod
    def of(cls, export: DataExport) -> Self:
        """The export as its person sees it."""
        return cls.model_validate(export, from_attributes=True)


@router.post("/v1/me/exports", status_code=202, dependencies=[Depends(fresh), per_user("export")])
async def ask_for_export(
    somebody: Somebody, db: FreshDb, parts: AllParts, origin: RequestOrigin, cause: RequestCause
) -> ExportOut:
    """Have all that is held about the caller put together. A mail tells when it can be downloaded."""
    async with db.transaction(somebody.home_id, cause) as tx:
        export = await request_export(
            tx, parts.encryption, somebody.home_id, somebody.user_id, parts.terms.export, origin
        )
        return ExportOut.of(export)


@router.get("/v1/me/exports")
async def list_exports(
    somebody: Somebody, db: Db, wanted: Annotated[PageRequest, Depends(page_request)]
) -> Page[ExportOut]:
    """The caller's exports, the newest first."""
    async with db.transaction(somebody.home_id) as tx:
        return page(await privacy.exports(tx, somebody.user_id, wanted), wanted, ExportOut.of, privacy.place)


@router.get(
    "/v1/me/exports/{export_id}/archive",
    response_class=StreamingResponse,
    responses={200: {"description": "A ZIP of JSON Lines.", "content": {_ZIP: {}}}},
    dependencies=[Depends(fresh)],
)
async def download_export(
    export_id: UUID, somebody: Somebody, db: FreshDb, parts: AllParts, origin: RequestOrigin, cause: RequestCause
) -> StreamingResponse:
    """Download an export that is READY: a folder for each part of the installation, a file for each table."""
    async with db.transaction(somebody.home_id, cause) as tx:
        key = await privacy.private_key(tx, parts.encryption, somebody.home_id, somebody.user_id, export_id)
        answers = await privacy.answers(tx, export_id)
        tell_of_download(tx, somebody.home_id, somebody.user_id, export_id, origin)
    packed = archive(_pieces(db.database, somebody.home_id, export_id, key), answers)
    headers = {"Content-Disposition": f'attachment; filename="fillstream-{export_id}.zip"'}
    return StreamingResponse(packed, media_type=_ZIP, headers=headers)


async def _pieces(db: Database, home_id: UUID, export_id: UUID, key: bytes) -> AsyncIterator[Piece]:
    """What is in the export, a piece at a time: no transaction waits for a slow reader."""
    async with db.transaction(home_id) as tx:
        labels = await privacy.labels(tx, export_id)
    for label in labels:
        async with db.transaction(home_id) as tx:
            sealed = await privacy.part(tx, label)
        yield Piece(label, label.open(sealed, key))
