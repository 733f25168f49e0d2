"""Who asked over HTTP? People who want to know which workspaces they are in, make more, and care for their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import Depends
from pydantic import BaseModel, ConfigDict, StrictBool

from libs.kit.acts import Actor, Origin
from libs.kit.errors import NotFound
from libs.kit.http.app import Db, RequestCause
from libs.kit.http.origin import RequestOrigin
from libs.kit.http.pagination import Page, PageRequest, Position, page, page_request
from libs.kit.http.routes import Router
from libs.kit.ids import uuid7
from libs.kit.security import Caller, authenticated, requires, requires_fresh
from libs.schema.audit import ActorKind
from libs.schema.values import UtcDatetime
from services.auth.api.fields import Name
from services.auth.api.parts import AllParts, FreshDb, Somebody
from services.auth.commands import workspaces
from services.auth.commands.workspaces import WorkspacePatch
from services.auth.model import Role, Workspace
from services.auth.queries import workspaces as read

router = Router()


def here(check: Callable[[Caller], Awaitable[Caller]]) -> Callable[[UUID, Caller], Awaitable[Caller]]:
    """A dependency that also wants the path to name the workspace of the token. Raises NotFound for any other."""

    async def own(workspace_id: UUID, caller: Annotated[Caller, Depends(authenticated)]) -> Caller:
        await check(caller)
        if caller.tenant_id != workspace_id:
            raise NotFound("workspace", workspace_id)
        return caller

    return own


def acting(caller: Caller, origin: Origin) -> Actor:
    """The caller, in the trail of their workspace; a program acts for its person."""
    if caller.client_id is not None:
        return Actor(ActorKind.API_KEY, caller.client_id, caller.user_id, origin)
    return Actor(ActorKind.USER, caller.user_id, origin=origin)


Member = Annotated[Caller, Depends(here(requires("members:read")))]
Owner = Annotated[Caller, Depends(here(requires_fresh("workspace:write")))]
"""Whoever has just shown that they own the workspace."""


class WorkspaceIn(BaseModel):
    """A workspace to be made."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "Research"}]})

    name: Name


class WorkspacePatchIn(BaseModel):
    """What is to become of a workspace. A field that is left out, or null, stays as it is."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "Research"}]})

    name: Name | None = None
    second_factor_required: StrictBool | None = None
    """Whether its members need a second factor to do anything in it."""


class TransferIn(BaseModel):
    """Whom a workspace is to belong to."""

    model_config = ConfigDict(extra="forbid")

    user_id: UUID


class SeatOut(BaseModel):
    """A workspace and what the caller is in it."""

    id: UUID
    name: str
    owner_id: UUID
    second_factor_required: bool
    role: Role
    joined_at: UtcDatetime

    @classmethod
    def of(cls, seat: read.Seat) -> Self:
        """The workspace as one of its members sees it."""
        return cls.seen(seat.workspace, seat.role, seat.since)

    @classmethod
    def seen(cls, workspace: Workspace, role: Role, since: datetime) -> Self:
        """The same, from its parts."""
        return cls(
            id=workspace.id,
            name=workspace.name,
            owner_id=workspace.owner_id,
            second_factor_required=workspace.second_factor_required,
            role=role,
            joined_at=since,
        )


@router.get("/v1/workspaces")
async def list_workspaces(
    somebody: Somebody, db: Db, wanted: Annotated[PageRequest, Depends(page_request)]
) -> Page[SeatOut]:
    """All workspaces that the caller is a member of, whichever their token is for; the one joined last first."""
    async with db.transaction(somebody.home_id) as tx:
        rows = await read.seats(tx, somebody.user_id, wanted)
        return page(rows, wanted, SeatOut.of, lambda seat: Position(seat.since, seat.workspace.id))


@router.post("/v1/workspaces", status_code=201)
async def create_workspace(
    body: WorkspaceIn, somebody: Somebody, db: Db, parts: AllParts, origin: RequestOrigin, cause: RequestCause
) -> SeatOut:
    """Make one more workspace of one's own. `POST /v1/auth/switch` gives tokens for it."""
    by, workspace_id = acting(somebody.caller, origin), uuid7()
    async with db.transaction(workspace_id, cause) as tx:
        made = await workspaces.create(tx, parts.hosting, somebody.user_id, workspace_id, body.name, by)
        return SeatOut.seen(made, Role.OWNER, tx.now)


@router.get("/v1/workspaces/{workspace_id}")
async def show_workspace(workspace_id: UUID, caller: Member, db: Db) -> SeatOut:
    """The workspace of the caller's token."""
    async with db.transaction(workspace_id) as tx:
        return SeatOut.of(await read.seat(tx, caller.user_id, workspace_id))


@router.patch("/v1/workspaces/{workspace_id}")
async def change_workspace(
    workspace_id: UUID, body: WorkspacePatchIn, caller: Owner, db: FreshDb, origin: RequestOrigin, cause: RequestCause
) -> SeatOut:
    """Rename the workspace of the caller's token, or change what it asks of its members. Its owner's alone."""
    patch = WorkspacePatch(body.name, body.second_factor_required)
    async with db.transaction(workspace_id, cause) as tx:
        await workspaces.change(tx, workspace_id, patch, acting(caller, origin))
        return SeatOut.of(await read.seat(tx, caller.user_id, workspace_id))


@router.post("/v1/workspaces/{workspace_id}/transfer")
async def transfer_workspace(
    workspace_id: UUID, body: TransferIn, caller: Owner, db: FreshDb, origin: RequestOrigin, cause: RequestCause
) -> SeatOut:
    """Let another member own the workspace of the caller's token; the caller trades in it from then on."""
    async with db.transaction(workspace_id, cause) as tx:
        await workspaces.transfer(tx, workspace_id, body.user_id, acting(caller, origin))
        return SeatOut.of(await read.seat(tx, caller.user_id, workspace_id))
