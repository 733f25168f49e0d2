"""Who asked over HTTP? Owners who want to know who did what in their workspace."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BaseModel

from libs.kit.http.app import Db
from libs.kit.http.pagination import Page, PageRequest, page, page_request
from libs.kit.http.routes import Router
from libs.kit.security import Caller, requires
from libs.schema.audit import ActName, ActorKind, ActResult, TargetKind, Words
from libs.schema.values import UtcDatetime
from services.auth.model import AuditEntry
from services.auth.queries import audit

router = Router()

Reader = Annotated[Caller, Depends(requires("audit:read"))]


class AuditEntryOut(BaseModel):
    """Something that was done, or tried, and its place in the chain."""

    sequence: int
    """Its number in the workspace's trail, from 1 on without gaps."""
    event_id: UUID
    source: str
    """The context that told it."""
    act: str
    actor_kind: ActorKind
    actor_id: UUID | None
    on_behalf_of: UUID | None
    target_kind: str
    target_id: str
    result: ActResult
    reason: str | None
    address: str | None
    device: str | None
    correlation_id: UUID
    occurred_at: UtcDatetime
    recorded_at: UtcDatetime
    previous_hash: str
    """The hash of the entry before, in hexadecimal digits."""
    hash: str

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        """The entry as its readers see it."""
        columns = {name: getattr(entry, name) for name in cls.model_fields}
        return cls(**columns | {"previous_hash": entry.previous_hash.hex(), "hash": entry.hash.hex()})


async def audit_filter(
    actor_id: Annotated[UUID | None, Query(description="what this user or key did")] = None,
    act: Annotated[ActName | None, Query(description="acts of this name alone, such as `session.opened`")] = None,
    target_kind: Annotated[TargetKind | None, Query(description="what was done to things of this kind")] = None,
    target_id: Annotated[Words | None, Query(description="what was done to the thing of this id")] = None,
    result: Annotated[ActResult | None, Query(description="acts that ended like this")] = None,
    start: Annotated[UtcDatetime | None, Query(alias="from", description="acts of this moment and later")] = None,
    end: Annotated[UtcDatetime | None, Query(alias="to", description="acts before this moment")] = None,
) -> audit.AuditFilter:
    """Which entries the query parameters ask for; for `Depends`."""
    return audit.AuditFilter(actor_id, act, target_kind, target_id, result, start, end)


@router.get("/v1/audit")
async def entries(
    caller: Reader,
    db: Db,
    wanted: Annotated[PageRequest, Depends(page_request)],
    which: Annotated[audit.AuditFilter, Depends(audit_filter)],
) -> Page[AuditEntryOut]:
    """Who did what in the workspace, the newest first."""
    async with db.transaction(caller.tenant_id) as tx:
        return page(await audit.entries(tx, which, wanted), wanted, AuditEntryOut.of, audit.place)
