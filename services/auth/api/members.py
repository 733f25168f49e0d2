"""Who asked over HTTP? Members who want to know who else is one, owners who say who is what, and whoever leaves."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import Depends, Response
from pydantic import BaseModel, ConfigDict

from libs.kit.errors import Forbidden
from libs.kit.http.app import Db, RequestCause
from libs.kit.http.origin import RequestOrigin
from libs.kit.http.pagination import Page, PageRequest, Position, page, page_request
from libs.kit.http.routes import Router
from libs.kit.security import Caller, requires
from libs.schema.values import UtcDatetime
from services.auth.api.workspaces import Member, acting, here
from services.auth.commands import members
from services.auth.model import Role
from services.auth.queries import workspaces as read

router = Router()

RoleToGive = Literal["VIEWER", "ANALYST", "TRADER"]
"""What an owner can make of others; OWNER is somebody by a transfer alone."""
_manages = requires("members:write")
Manager = Annotated[Caller, Depends(here(_manages))]


async def _whoever_is_there(caller: Caller) -> Caller:
    """Everybody: what they may do depends on whom they mean."""
    return caller


AnyMember = Annotated[Caller, Depends(here(_whoever_is_there))]


async def _may_remove(user_id: UUID, caller: AnyMember) -> Caller:
    """Whoever leaves by themselves, or may manage members. Raises Forbidden."""
    if user_id != caller.user_id:
        return await _manages(caller)
    if caller.client_id is not None:
        raise Forbidden("an API key can't leave a workspace for its person", slug="person-required")
    return caller


class RoleIn(BaseModel):
    """What a member is to be."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"role": "ANALYST"}]})

    role: RoleToGive


class MemberOut(BaseModel):
    """A person, and what they are in the workspace."""

    user_id: UUID
    email: str
    username: str | None
    first_name: str | None
    last_name: str | None
    role: Role
    joined_at: UtcDatetime

    @classmethod
    def of(cls, member: read.Member) -> Self:
        """The member as the others see them."""
        user = member.user
        return cls(
            user_id=user.id,
            email=user.email,
            username=user.username,
            first_name=user.first_name,
            last_name=user.last_name,
            role=member.role,
            joined_at=member.since,
        )


class RoleOut(BaseModel):
    """What a member is now."""

    user_id: UUID
    role: Role


@router.get("/v1/workspaces/{workspace_id}/members")
async def list_members(
    workspace_id: UUID, _caller: Member, db: Db, wanted: Annotated[PageRequest, Depends(page_request)]
) -> Page[MemberOut]:
    """Who is a member of the workspace of the caller's token, whoever joined last first."""
    async with db.transaction(workspace_id) as tx:
        rows = await read.members(tx, workspace_id, wanted)
        return page(rows, wanted, MemberOut.of, lambda member: Position(member.since, member.user.id))


@router.put("/v1/workspaces/{workspace_id}/members/{user_id}/role")
async def change_member_role(
    workspace_id: UUID,
    user_id: UUID,
    body: RoleIn,
    caller: Manager,
    db: Db,
    origin: RequestOrigin,
    cause: RequestCause,
) -> RoleOut:
    """Let a member do more or less. Tokens that allow more than the new role are refused within moments."""
    async with db.transaction(workspace_id, cause) as tx:
        member = await members.change_role(tx, workspace_id, user_id, Role(body.role), acting(caller, origin))
        return RoleOut(user_id=member.user_id, role=Role(member.role))


@router.delete("/v1/workspaces/{workspace_id}/members/{user_id}", status_code=204)
async def remove_member(
    workspace_id: UUID,
    user_id: UUID,
    caller: Annotated[Caller, Depends(_may_remove)],
    db: Db,
    origin: RequestOrigin,
    cause: RequestCause,
) -> Response:
    """Remove a member, as the owner, or leave. Access ends within moments; sessions go on in other workspaces."""
    async with db.transaction(workspace_id, cause) as tx:
        await members.remove(tx, workspace_id, user_id, acting(caller, origin))
    return Response(status_code=204)
