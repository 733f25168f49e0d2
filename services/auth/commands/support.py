"""What happens when support is let in? An owner says for how long, staff come and get short tokens, and it ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from libs.kit.acts import Act, Actor, Origin, Target, tell_act
from libs.kit.db import Tx
from libs.kit.errors import Invalid
from libs.kit.ids import uuid7
from libs.schema.audit import ActorKind, ActResult
from services.auth.commands.signing_keys import signing_key
from services.auth.model import SCOPES_OF_ACCESS, Role, SupportAccess, SupportGrant, User
from services.auth.repository import support, users
from services.auth.tokens import Grant, Issuing


@dataclass(frozen=True, slots=True)
class Terms:
    """On which an owner lets support in."""

    staff_id: UUID | None
    """The one who may come; None for everybody of the role SUPPORT."""
    access: SupportAccess
    reason: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody of the staff, how and when they showed who they are, and from where they come."""

    user_id: UUID
    authenticated_at: datetime
    methods: tuple[str, ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class Visit:
    """What a visitor got: a token for the workspace, which nothing refreshes."""

    grant_id: UUID
    workspace_id: UUID
    access_token: str = field(repr=False)
    lifetime: timedelta


async def let_in(
    tx: Tx, workspace_id: UUID, owner_id: UUID, terms: Terms, longest: timedelta, origin: Origin
) -> SupportGrant:
    """Let support in for a while.

    Raises Invalid for a time that is over or too long, or somebody who is not staff, and Forbidden before the owner's address
    is proved.
    """
    (await users.lock_user(tx, owner_id)).refuse_unproved()
    if not tx.now < terms.expires_at <= tx.now + longest:
        raise Invalid("/expires_at", f"must be after now and within {longest.days} days")
    if terms.staff_id is not None and not await support.is_helper(tx, terms.staff_id):
        raise Invalid("/staff_id", "is nobody of the support staff")
    grant = SupportGrant(
        id=uuid7(),
        tenant_id=workspace_id,
        granted_by=owner_id,
        staff_id=terms.staff_id,
        access=terms.access,
        reason=terms.reason,
        expires_at=terms.expires_at,
        entered_by=[],
    )
    tx.add(grant)
    await tx.flush()
    said = f"{grant.access} until {grant.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    _tell(tx, "support.granted", grant, Actor(ActorKind.USER, owner_id, origin=origin), reason=said)
    return grant


async def revoke(tx: Tx, workspace_id: UUID, grant_id: UUID, owner_id: UUID, origin: Origin) -> None:
    """Take a grant back: every token that somebody got by it is refused from now on. Raises NotFound."""
    grant = await support.lock_grant(tx, workspace_id, grant_id)
    if grant.is_live(tx.now):
        tx.publish(grant, *grant.revoke(tx.now))
        _tell(tx, "support.revoked", grant, Actor(ActorKind.USER, owner_id, origin=origin))


async def enter(tx: Tx, issuing: Issuing, workspace_id: UUID, grant_id: UUID, visitor: Visitor) -> Visit | None:
    """Give a visitor a token for the workspace that `tx` is a transaction of; None when the grant counts no more.

    It counts no more when its time is over, it was revoked, its giver owns the workspace no longer, or the visitor is
    no longer whom it is for. The caller commits before it refuses: a try is told, too.
    """
    staff = await users.lock_known(tx, visitor.user_id)
    grant = await support.lock_grant(tx, workspace_id, grant_id)
    actor = Actor(ActorKind.STAFF, visitor.user_id, grant.granted_by, visitor.origin)
    if staff is None or not await _still_counts(tx, workspace_id, grant, staff):
        _tell(tx, "support.entered", grant, actor, ActResult.REFUSED, "the grant counts no more")
        return None
    tx.publish(grant, *grant.enter(staff.id, tx.now))
    _tell(tx, "support.entered", grant, actor)
    token = Grant(
        staff.id,
        workspace_id,
        grant.id,
        SCOPES_OF_ACCESS[SupportAccess(grant.access)],
        visitor.authenticated_at,
        visitor.methods,
        on_behalf_of=grant.granted_by,
        ends_at=grant.expires_at,
    )
    access = issuing.access_token(await signing_key(tx, issuing), token, tx.now)
    return Visit(grant.id, workspace_id, access, token.lifetime(issuing.access_lifetime, tx.now))


async def _still_counts(tx: Tx, workspace_id: UUID, grant: SupportGrant, staff: User) -> bool:
    giver = await users.get(tx, grant.granted_by)
    owned = giver.is_present and await users.role_in(tx, giver.id, workspace_id) is Role.OWNER
    return owned and grant.admits(staff, tx.now) and grant.is_live(tx.now)


def refuse(tx: Tx, workspace_id: UUID, visitor: Visitor) -> None:
    """Tell that somebody tried a workspace that nothing lets them into: in the installation's trail, for its operators."""
    actor, target = Actor(ActorKind.STAFF, visitor.user_id, origin=visitor.origin), Target("workspace", workspace_id)
    tell_act(tx, None, Act("support.entered", actor, target, ActResult.REFUSED, "no grant lets them in"))


def _tell(
    tx: Tx,
    name: str,
    grant: SupportGrant,
    actor: Actor,
    result: ActResult = ActResult.SUCCEEDED,
    reason: str | None = None,
) -> None:
    tell_act(tx, grant.tenant_id, Act(name, actor, Target("support_grant", grant.id), result, reason))
