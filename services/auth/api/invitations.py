"""Who asked over HTTP? Owners who invite others, and people who were invited."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Self
from uuid import UUID

from fastapi import Depends, Response
from pydantic import BaseModel, ConfigDict

from libs.kit.errors import Conflict, Forbidden, NotFound, Rejected, Unauthenticated
from libs.kit.http.app import Db, RequestCause
from libs.kit.http.origin import RequestOrigin
from libs.kit.http.pagination import Page, PageRequest, Position, page, page_request
from libs.kit.http.rate_limits import per_user
from libs.kit.http.routes import Router
from libs.kit.security import Caller, requires
from libs.schema.values import UtcDatetime
from services.auth.api.fields import Email
from services.auth.api.members import Manager, RoleToGive
from services.auth.api.parts import AllParts, Somebody, mailed, spent
from services.auth.api.registration import MailedTokenIn
from services.auth.api.workspaces import SeatOut, acting, here
from services.auth.commands import invitations
from services.auth.commands.invitations import Invited
from services.auth.model import Invitation, Role, Unacceptable
from services.auth.model.user import UNPROVED
from services.auth.queries import invitations as read
from services.auth.queries import people
from services.auth.queries.workspaces import seat

router = Router()

Reader = Annotated[Caller, Depends(here(requires("members:write")))]
"""Addresses of those who are no members are the owner's to see alone."""

_REFUSALS: Mapping[Unacceptable, tuple[type[Rejected], str, str]] = MappingProxyType(
    {
        Unacceptable.UNVERIFIED: (
            Forbidden,
            "email-unverified",
            UNPROVED,
        ),
        Unacceptable.USED: (Conflict, "invitation-used", "you have answered this invitation already"),
        Unacceptable.REVOKED: (Conflict, "invitation-revoked", "this invitation was taken back, or replaced"),
        Unacceptable.EXPIRED: (Conflict, "invitation-expired", "this invitation is too old: ask for another one"),
        Unacceptable.MEMBER: (Conflict, "already-a-member", "you are a member of this workspace already"),
    }
)
"""What whoever an invitation is for is told; all others hear what is said of any token that does not work."""


class InvitationIn(BaseModel):
    """Whom to invite, as what."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"email": "bob@example.com", "role": "ANALYST"}]}
    )

    email: Email
    role: RoleToGive


class SentInvitationOut(BaseModel):
    """An invitation that waits for an answer, as the workspace sees it."""

    id: UUID
    email: str
    role: Role
    invited_by: UUID
    sent_at: UtcDatetime
    expires_at: UtcDatetime

    @classmethod
    def of(cls, invitation: Invitation) -> Self:
        """The invitation, without its secret."""
        return cls(
            id=invitation.id,
            email=invitation.email,
            role=Role(invitation.role),
            invited_by=invitation.invited_by,
            sent_at=invitation.created_at,
            expires_at=invitation.expires_at,
        )


class InvitationOut(BaseModel):
    """An invitation that waits for the caller's answer."""

    id: UUID
    workspace_id: UUID
    workspace_name: str
    """As it was called when the invitation was sent; whoever invites has made the name up."""
    role: Role
    sent_at: UtcDatetime
    expires_at: UtcDatetime

    @classmethod
    def of(cls, invitation: Invitation) -> Self:
        """The invitation, as whoever it is for sees it."""
        return cls(
            id=invitation.id,
            workspace_id=invitation.tenant_id,
            workspace_name=invitation.workspace_name,
            role=Role(invitation.role),
            sent_at=invitation.created_at,
            expires_at=invitation.expires_at,
        )


def _place(invitation: Invitation) -> Position:
    return Position(invitation.created_at, invitation.id)


@router.post("/v1/workspaces/{workspace_id}/invitations", status_code=201, dependencies=[per_user("invitation")])
async def invite(
    workspace_id: UUID,
    body: InvitationIn,
    caller: Manager,
    db: Db,
    parts: AllParts,
    origin: RequestOrigin,
    cause: RequestCause,
) -> SentInvitationOut:
    """Write to somebody that they may become a member; what was written to the same address before works no more."""
    invited = Invited(body.email, Role(body.role))
    async with db.transaction(workspace_id, cause) as tx:
        sent = await invitations.invite(tx, parts.hosting, workspace_id, invited, acting(caller, origin))
        return SentInvitationOut.of(sent)


@router.get("/v1/workspaces/{workspace_id}/invitations")
async def list_sent_invitations(
    workspace_id: UUID, _caller: Reader, db: Db, wanted: Annotated[PageRequest, Depends(page_request)]
) -> Page[SentInvitationOut]:
    """The invitations that the workspace waits for an answer to, the newest first."""
    async with db.transaction(workspace_id) as tx:
        return page(await read.pending(tx, workspace_id, wanted), wanted, SentInvitationOut.of, _place)


@router.delete("/v1/workspaces/{workspace_id}/invitations/{invitation_id}", status_code=204)
async def revoke_invitation(
    workspace_id: UUID, invitation_id: UUID, caller: Manager, db: Db, origin: RequestOrigin, cause: RequestCause
) -> Response:
    """Take an invitation back that nobody has answered."""
    async with db.transaction(workspace_id, cause) as tx:
        await invitations.revoke(tx, workspace_id, invitation_id, acting(caller, origin))
    return Response(status_code=204)


@router.get("/v1/invitations")
async def list_invitations(
    somebody: Somebody, db: Db, wanted: Annotated[PageRequest, Depends(page_request)]
) -> Page[InvitationOut]:
    """The invitations to the caller's own address that wait for an answer; none before the address is verified."""
    async with db.transaction(somebody.home_id) as tx:
        user = await people.person(tx, somebody.user_id)
        if user is None:
            raise Unauthenticated("the person is not known, or no longer")
        return page(await read.to_person(tx, user, wanted), wanted, InvitationOut.of, _place)


@router.post("/v1/invitations/accept")
async def accept_invitation(
    body: MailedTokenIn, somebody: Somebody, db: Db, origin: RequestOrigin, cause: RequestCause
) -> SeatOut:
    """Become a member with the token that came by mail to the caller's own, verified address; once."""
    presented = mailed(body.token.get_secret_value())
    async with db.transaction(presented.home_id, cause) as tx:
        made = await invitations.accept(tx, presented, somebody.user_id, acting(somebody.caller, origin))
        if not isinstance(made, Unacceptable):
            return SeatOut.of(await seat(tx, somebody.user_id, presented.home_id))
    if made not in _REFUSALS:
        raise spent()
    kind, slug, detail = _REFUSALS[made]
    raise kind(detail, slug=slug)


@router.post("/v1/invitations/{invitation_id}/decline", status_code=204)
async def decline_invitation(
    invitation_id: UUID, somebody: Somebody, db: Db, origin: RequestOrigin, cause: RequestCause
) -> Response:
    """Say no to an invitation to the caller's own, verified address."""
    async with db.public() as tx:
        user = await people.person(tx, somebody.user_id)
        workspace_id = None if user is None else await read.workspace_of(tx, user, invitation_id)
    if workspace_id is None:
        raise NotFound("invitation", invitation_id)
    async with db.transaction(workspace_id, cause) as tx:
        by = acting(somebody.caller, origin)
        await invitations.decline(tx, workspace_id, invitation_id, somebody.user_id, by)
    return Response(status_code=204)
