"""Who asked over HTTP? Staff who help in a workspace whose owner lets them in."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import Depends
from pydantic import BaseModel, ConfigDict

from libs.kit.acts import Origin
from libs.kit.errors import NotFound
from libs.kit.http.app import Db, RequestCause
from libs.kit.http.origin import RequestOrigin
from libs.kit.http.pagination import Page, PageRequest, page, page_request
from libs.kit.http.routes import Router
from libs.kit.security import Caller, StepUpRequired, requires, requires_fresh
from libs.schema.values import UtcDatetime
from services.auth.api.parts import AllParts, FreshDb
from services.auth.commands import support
from services.auth.commands.support import Visit, Visitor
from services.auth.model import SupportAccess, SupportGrant
from services.auth.queries import support as read

router = Router()


class OpenWorkspaceOut(BaseModel):
    """A workspace that the caller may come into, and by which grant."""

    grant_id: UUID
    workspace_id: UUID
    granted_by: UUID
    access: SupportAccess
    reason: str
    created_at: UtcDatetime
    expires_at: UtcDatetime

    @classmethod
    def of(cls, grant: SupportGrant) -> Self:
        """The grant as staff see it."""
        return cls(
            grant_id=grant.id,
            workspace_id=grant.tenant_id,
            granted_by=grant.granted_by,
            access=SupportAccess(grant.access),
            reason=grant.reason,
            created_at=grant.created_at,
            expires_at=grant.expires_at,
        )


class EntryIn(BaseModel):
    """By which grant; left out, by the one that lasts longest."""

    model_config = ConfigDict(extra="forbid")

    grant_id: UUID | None = None


class VisitOut(BaseModel):
    """A token for the workspace. Nothing refreshes it: come again while the grant lasts."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 a scheme's name, not a secret
    expires_in: int
    """Seconds that the access token is valid for: ten minutes, or until the grant ends."""
    workspace_id: UUID
    grant_id: UUID

    @classmethod
    def of(cls, visit: Visit) -> Self:
        """The visit as its client sees it."""
        return cls(
            access_token=visit.access_token,
            expires_in=int(visit.lifetime.total_seconds()),
            workspace_id=visit.workspace_id,
            grant_id=visit.grant_id,
        )


def _visitor(staff: Caller, origin: Origin) -> Visitor:
    """The caller as a visitor. Raises StepUpRequired when it does not say when they logged in."""
    if staff.authenticated_at is None:
        raise StepUpRequired("the token does not say when its person logged in")
    return Visitor(staff.user_id, staff.authenticated_at, tuple(sorted(staff.methods)), origin)


@router.get("/v1/support/workspaces")
async def list_open_workspaces(
    staff: Annotated[Caller, Depends(requires("support:act"))],
    db: Db,
    wanted: Annotated[PageRequest, Depends(page_request)],
) -> Page[OpenWorkspaceOut]:
    """The workspaces whose owners let the caller in now, by grant, the newest first."""
    async with db.public() as tx:
        return page(await read.open_grants(tx, staff.user_id, wanted), wanted, OpenWorkspaceOut.of, read.place)


@router.post("/v1/support/workspaces/{workspace_id}/tokens")
async def enter_workspace(
    workspace_id: UUID,
    body: EntryIn,
    staff: Annotated[Caller, Depends(requires_fresh("support:act"))],
    db: FreshDb,
    parts: AllParts,
    origin: RequestOrigin,
    cause: RequestCause,
) -> VisitOut:
    """Come into a workspace by a grant of its owner, who sees it. 404 without one, whether or not there is the workspace."""
    visitor = _visitor(staff, origin)
    async with db.public(cause) as tx:
        door = await read.door(tx, staff.user_id, workspace_id, body.grant_id)
        if door is None:
            support.refuse(tx, workspace_id, visitor)
    if door is None:
        raise NotFound("support grant for the workspace", workspace_id)
    # The workspace is the grant's, as row-level security showed it, never the caller's word.
    async with db.transaction(door.workspace_id, cause) as tx:
        visit = await support.enter(tx, parts.issuing, door.workspace_id, door.grant_id, visitor)
    if visit is None:
        raise NotFound("support grant for the workspace", workspace_id)
    return VisitOut.of(visit)
