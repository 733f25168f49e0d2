"""Who asked over HTTP? Owners who let support into their workspace for a while, and take it back."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

from fastapi import Depends, Response
from pydantic import BaseModel, ConfigDict, StringConstraints

from libs.kit.http.app import Db, RequestCause
from libs.kit.http.origin import RequestOrigin
from libs.kit.http.pagination import Page, PageRequest, page, page_request
from libs.kit.http.routes import Router
from libs.kit.security import Caller, requires, requires_fresh
from libs.schema.values import UtcDatetime
from services.auth.api.parts import AllParts, FreshDb
from services.auth.commands import support
from services.auth.model import SupportAccess, SupportGrant
from services.auth.queries import support as read

router = Router()

Owner = Annotated[Caller, Depends(requires("support:grant"))]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]


class SupportGrantIn(BaseModel):
    """Who may come, for what, as what, and until when."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"reason": "My last order hangs.", "expires_at": "2030-01-31T15:30:00Z"}]},
    )

    reason: Reason
    expires_at: UtcDatetime
    """Within seven days, or what the installation allows."""
    access: SupportAccess = SupportAccess.READ
    """`READ` to look at what viewers see; `TRADE` to trade as well."""
    staff_id: UUID | None = None
    """The one who may come; left out, everybody of the support staff may."""

    def terms(self) -> support.Terms:
        """The same in our own words."""
        return support.Terms(self.staff_id, self.access, self.reason, self.expires_at)


class SupportGrantOut(BaseModel):
    """A grant, and what became of it."""

    id: UUID
    granted_by: UUID
    staff_id: UUID | None
    access: SupportAccess
    reason: str
    created_at: UtcDatetime
    expires_at: UtcDatetime
    revoked_at: UtcDatetime | None
    used_at: UtcDatetime | None
    """When support last got a token by it."""

    @classmethod
    def of(cls, grant: SupportGrant) -> Self:
        """The grant as its workspace's owner sees it."""
        return cls(**{name: getattr(grant, name) for name in cls.model_fields})


@router.post("/v1/support-grants", status_code=201)
async def let_support_in(
    body: SupportGrantIn,
    owner: Annotated[Caller, Depends(requires_fresh("support:grant"))],
    db: FreshDb,
    parts: AllParts,
    origin: RequestOrigin,
    cause: RequestCause,
) -> SupportGrantOut:
    """Let support into the workspace for a while. All that they ask for there will be in the audit trail."""
    async with db.transaction(owner.tenant_id, cause) as tx:
        grant = await support.let_in(tx, owner.tenant_id, owner.user_id, body.terms(), parts.longest_support, origin)
        return SupportGrantOut.of(grant)


@router.get("/v1/support-grants")
async def list_support_grants(
    owner: Owner, db: Db, wanted: Annotated[PageRequest, Depends(page_request)]
) -> Page[SupportGrantOut]:
    """Every grant that was ever given for the workspace, the newest first."""
    async with db.transaction(owner.tenant_id) as tx:
        return page(await read.grants(tx, owner.tenant_id, wanted), wanted, SupportGrantOut.of, read.place)


@router.delete("/v1/support-grants/{grant_id}", status_code=204)
async def revoke_support_grant(
    grant_id: UUID, owner: Owner, db: Db, origin: RequestOrigin, cause: RequestCause
) -> Response:
    """Take a grant back; the tokens that support got by it are refused at once."""
    async with db.transaction(owner.tenant_id, cause) as tx:
        await support.revoke(tx, owner.tenant_id, grant_id, owner.user_id, origin)
    return Response(status_code=204)
