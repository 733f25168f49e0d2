"""What happens when mail first reaches somebody's address? All that was there before goes: a stranger may have made it.

Anybody can register with an address that is not theirs, leave a way in, and wait for its owner to come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.kit.acts import SYSTEM, Act, Origin, Target, tell_act
from libs.kit.db import Tx
from libs.schema.auth import SessionEnd
from libs.schema.event import Cause
from services.auth.commands.onboarding import note_steps
from services.auth.commands.sessions import end_sessions
from services.auth.model import InvitationState, User
from services.auth.model.onboarding import StepName
from services.auth.repository import api_keys, invitations, second_factors, support

_REASON = "older than the proof of its person's address"


@dataclass(frozen=True, slots=True)
class Proved:
    """When an address was first proved, and the event that told it."""

    at: datetime
    cause: Cause


async def prove_address(tx: Tx, user: User, origin: Origin) -> None:
    """Take it that mail reaches a person, whose row `tx` has locked; factors, sessions and approved devices of before go.

    `tx` is of their home. What they have elsewhere goes by the event, as `end_what_was_before` does.
    """
    told = user.verify_email(tx.now)
    if not told:
        return
    tx.publish(user, *told)
    await note_steps(tx, user.default_workspace_id, user.id, (StepName.VERIFY_EMAIL,))
    await second_factors.delete_all(tx, user.id)
    await end_sessions(tx, user.id, SessionEnd.REVOKED, origin)


async def end_what_was_before(tx: Tx, proved: Mapping[UUID, Proved]) -> None:
    """Let no key, grant or invitation count that these people, who are locked, gave before they proved their addresses.

    Needs a worker's transaction. None can be given before the proof since a release that asks for it, so that clocks which
    differ a little matter to none.
    """
    for key in await api_keys.lock_kept(tx, proved):
        told = proved[key.user_id]
        if key.created_at < told.at:
            tx.publish(key, *key.revoke(key.user_id, tx.now), cause=told.cause)
            tell_act(tx, key.tenant_id, _act("api_key.revoked", "api_key", key.id), told.cause)
    for grant in await support.lock_live_of(tx, proved):
        told = proved[grant.granted_by]
        if grant.created_at < told.at:
            tx.publish(grant, *grant.revoke(tx.now), cause=told.cause)
            tell_act(tx, grant.tenant_id, _act("support.revoked", "support_grant", grant.id), told.cause)
    for invitation in await invitations.lock_pending_of(tx, proved):
        told = proved[invitation.invited_by]
        if invitation.created_at < told.at:
            invitation.settle(InvitationState.REVOKED, invitation.invited_by, tx.now)
            tell_act(tx, invitation.tenant_id, _act("invitation.revoked", "invitation", invitation.id), told.cause)


def _act(name: str, kind: str, target: UUID) -> Act:
    return Act(name, SYSTEM, Target(kind, target), reason=_REASON)
