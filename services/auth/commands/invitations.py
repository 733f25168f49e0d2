"""What happens to invitations? An owner sends and revokes them, whoever they are for accepts or declines.

Locks: the person, then the workspace, then the invitation, as everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from libs.kit.acts import Act, Actor, Target, tell_act
from libs.kit.db import Tx
from libs.kit.errors import Conflict, Forbidden, NotFound, RateLimited
from libs.kit.ids import uuid7
from libs.kit.mail_secrets import mail_secret
from libs.schema.audit import ActResult
from libs.schema.auth import MailTemplate
from services.auth.commands.api_keys import revoke_of_former_member
from services.auth.commands.workspaces import Hosting, lock_owned
from services.auth.model import (
    Invitation,
    InvitationState,
    Membership,
    Role,
    Unacceptable,
    User,
    Workspace,
    email_key,
)
from services.auth.repository import invitations, users, workspaces
from services.auth.tokens import Ticket


@dataclass(frozen=True, slots=True)
class Invited:
    """Whom an owner wants as what."""

    email: str
    role: Role


async def invite(tx: Tx, hosting: Hosting, workspace_id: UUID, invited: Invited, by: Actor) -> Invitation:
    """Let the owner write to somebody; an invitation to the same address that waits is replaced.

    Raises NotFound, Forbidden for whoever is not the owner, has not proved their address or has too many that wait, Conflict
    for a member's address, and RateLimited for one that is written to too often, from whatever workspaces.
    """
    workspace = await lock_owned(tx, workspace_id, by)
    inviter, key = await users.get(tx, workspace.owner_id), email_key(invited.email)
    inviter.refuse_unproved()
    if await workspaces.has_member_at(tx, workspace_id, key):
        raise Conflict("whoever has this address is a member already", slug="already-a-member")
    replaced = await invitations.lock_pending_to(tx, workspace_id, key)
    if replaced is not None:
        replaced.settle(InvitationState.REPLACED, inviter.id, tx.now)
        # Only one to an address waits: the database would not have two, however short.
        await tx.flush()
    if await invitations.count_pending(tx, workspace_id) >= hosting.most_pending:
        raise Forbidden(
            f"no more than {hosting.most_pending} invitations wait at once: revoke some", slug="too-many-invitations"
        )
    await _refuse_flood(tx, hosting, invited)
    invitation = _new(tx, hosting, workspace, invited, inviter)
    tx.add(invitation)
    await tx.flush()
    tx.publish(invitation, *invitation.send(inviter, tx.now))
    tell_act(tx, workspace_id, Act("invitation.sent", by, Target("invitation", invitation.id), reason=invited.role))
    return invitation


async def _refuse_flood(tx: Tx, hosting: Hosting, invited: Invited) -> None:
    verdict = await hosting.mailing.may_write(tx, invited.email, MailTemplate.INVITATION)
    if not verdict.allowed:
        raise RateLimited("this address was invited too often lately", retry_after=verdict.retry_after)


def _new(tx: Tx, hosting: Hosting, workspace: Workspace, invited: Invited, inviter: User) -> Invitation:
    mail_id = uuid7()
    return Invitation(
        id=mail_id,
        tenant_id=workspace.id,
        version=0,
        workspace_name=workspace.name,
        email=invited.email,
        email_key=email_key(invited.email),
        role=invited.role,
        invited_by=inviter.id,
        token_hash=Ticket(workspace.id, mail_secret(hosting.mailing.key, mail_id)).digest,
        state=InvitationState.PENDING,
        expires_at=tx.now + hosting.invitation_lifetime,
    )


async def revoke(tx: Tx, workspace_id: UUID, invitation_id: UUID, by: Actor) -> None:
    """Let the owner take an invitation back. Raises Forbidden, and NotFound when it does not wait any more."""
    workspace = await lock_owned(tx, workspace_id, by)
    invitation = await invitations.lock_pending(tx, workspace_id, invitation_id)
    if invitation is None:
        raise NotFound("invitation", invitation_id)
    invitation.settle(InvitationState.REVOKED, workspace.owner_id, tx.now)
    tell_act(tx, workspace_id, Act("invitation.revoked", by, Target("invitation", invitation_id)))


async def accept(tx: Tx, presented: Ticket, user_id: UUID, by: Actor) -> Membership | Unacceptable:
    """Make a person a member by the token of a mail to their own, verified address; or say why not.

    `tx` is a transaction of the workspace that the token names. Refusals are told, so the caller commits before it refuses.
    """
    user = await users.lock_user(tx, user_id)
    workspace = await workspaces.lock_known(tx, presented.home_id)
    invitation = await invitations.lock_by_token(tx, presented.home_id, presented.digest)
    if workspace is None or invitation is None:
        return Unacceptable.NOT_THEIRS
    if not (await users.get(tx, workspace.owner_id)).is_present:
        # Nobody joins whom the owner's erasure would have to wait for.
        return Unacceptable.NOT_THEIRS
    objection = invitation.objection(user, tx.now)
    if objection is None and await workspaces.lock_known_member(tx, workspace.id, user_id) is not None:
        objection = Unacceptable.MEMBER
    if objection is not None:
        refused = Act("member.added", by, Target("invitation", invitation.id), ActResult.REFUSED, objection)
        tell_act(tx, workspace.id, refused)
        return objection
    invitation.settle(InvitationState.ACCEPTED, user_id, tx.now)
    # Whoever was here before begins anew, also if nobody ended their keys when they went.
    await revoke_of_former_member(tx, workspace.id, user_id, by, user_id)
    member = Membership(tenant_id=workspace.id, user_id=user_id, role=invitation.role)
    tx.add(member)
    await tx.flush()
    tx.publish(workspace, *workspace.join(member, tx.now))
    tell_act(tx, workspace.id, Act("member.added", by, Target("user", user_id), reason=member.role))
    return member


async def decline(tx: Tx, workspace_id: UUID, invitation_id: UUID, user_id: UUID, by: Actor) -> None:
    """Say no to an invitation to one's own, verified address. Raises NotFound for any other, and any that is over."""
    user = await users.lock_user(tx, user_id)
    await workspaces.lock_workspace(tx, workspace_id)
    invitation = await invitations.lock_pending(tx, workspace_id, invitation_id)
    if invitation is None or invitation.objection(user, tx.now) is not None:
        raise NotFound("invitation", invitation_id)
    invitation.settle(InvitationState.DECLINED, user_id, tx.now)
    tell_act(tx, workspace_id, Act("invitation.declined", by, Target("invitation", invitation_id)))
