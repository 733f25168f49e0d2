"""Who asked over the bus? Contexts that tell who did what, billing that tells plans, and auth itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC

from libs.kit.db import Tx
from libs.kit.handlers import Handlers, on, on_each
from libs.schema.audit import INSTALLATION, ActResult, SecurityActed
from libs.schema.auth import (
    ApiKeyCreated,
    MemberRemoved,
    MemberRoleChanged,
    PasswordResetRequested,
    UserDeactivated,
    UserDeleted,
)
from libs.schema.billing import EntitlementsChanged
from libs.schema.event import Envelope
from services.auth.commands import api_keys, audit, members, passwords, programs
from services.auth.commands.api_keys import Made
from services.auth.commands.mails import Mailing
from services.auth.commands.members import Loss
from services.auth.commands.passwords import Asked
from services.auth.commands.programs import ShutOut
from services.auth.commands.tiers import change_tiers
from services.auth.model import SCOPES_OF_ROLE, Role, SecurityAct
from services.auth.repository.tiers import Plan
from services.auth.settings import Settings


def _act(envelope: Envelope[SecurityActed]) -> SecurityAct:
    """The act in our own words; when it names another workspace's trail than its transaction's, that is what was tried.

    Such an act is a mistake or a forgery, and belongs into the trail of whom row-level security knows to have told it.
    It must not fail: a dead letter would only tell an operator, and forgers can make any number of them.
    """
    told, teller = envelope.event, envelope.tenant_id or INSTALLATION
    if teller == told.workspace_id:
        return _as_told(envelope)
    return replace(
        _as_told(envelope),
        workspace_id=teller,
        act="act.misplaced",
        target_kind="audit_trail",
        target_id=str(told.workspace_id),
        result=ActResult.REFUSED,
        reason=f"told as {told.act} of {told.target_kind}",
    )


def _as_told(envelope: Envelope[SecurityActed]) -> SecurityAct:
    told = envelope.event
    return SecurityAct(
        workspace_id=told.workspace_id,
        event_id=envelope.id,
        source=envelope.source,
        act=told.act,
        actor_kind=told.actor_kind,
        actor_id=told.actor_id,
        on_behalf_of=told.on_behalf_of,
        target_kind=told.target_kind,
        target_id=told.target_id,
        result=told.result,
        reason=told.reason,
        address=told.address,
        device=told.device,
        correlation_id=envelope.cause.correlation_id,
        occurred_at=told.occurred_at,
        recorded_at=envelope.recorded_at.astimezone(UTC),
    )


# Each alone: the trail's order is that in which acts are recorded, and a row that nobody can read, which any workspace's
# transaction could leave in an outbox, must not hold up a trail until somebody discards it.
@on_each(SecurityActed)
async def record_acts(tx: Tx, envelopes: Sequence[Envelope[SecurityActed]]) -> None:
    """An act is recorded behind the last one of its workspace."""
    await audit.record(tx, [_act(envelope) for envelope in envelopes])


@on(EntitlementsChanged)
async def remember_tiers(tx: Tx, changed: Sequence[Envelope[EntitlementsChanged]]) -> None:
    """A workspace's tier is the plan that it is on."""
    await change_tiers(tx, [Plan(one.event.workspace_id, one.event.plan, one.sequence) for one in changed])


@on(MemberRoleChanged)
async def lower_access(tx: Tx, changed: Sequence[Envelope[MemberRoleChanged]]) -> None:
    """Whoever may do less than before may do it at once."""
    lowered = [one for one in changed if not _allows(one.event.role) >= _allows(one.event.previous_role)]
    await members.end_access(tx, [Loss(one.event.user_id, one.event.workspace_id, one.follow()) for one in lowered])


@on(MemberRemoved)
async def end_access(tx: Tx, removed: Sequence[Envelope[MemberRemoved]]) -> None:
    """Whoever is no member any more is shut out at once."""
    await members.end_access(tx, [Loss(one.event.user_id, one.event.workspace_id, one.follow()) for one in removed])


def _allows(role: str) -> frozenset[str]:
    return SCOPES_OF_ROLE[Role(role)]


@on(UserDeactivated)
async def end_access_of_deactivated(tx: Tx, envelopes: Sequence[Envelope[UserDeactivated]]) -> None:
    """A deactivated person's programs have tokens, too."""
    await programs.end_access(tx, [ShutOut(e.event.user_id, e.event.workspace_id, e.follow()) for e in envelopes])


@on(UserDeleted)
async def end_access_of_deleted(tx: Tx, envelopes: Sequence[Envelope[UserDeleted]]) -> None:
    """So have those of a deleted one."""
    await programs.end_access(tx, [ShutOut(e.event.user_id, e.event.workspace_id, e.follow()) for e in envelopes])


def handlers(settings: Settings) -> Handlers:
    """What this context listens to."""

    @on(PasswordResetRequested)
    async def send_resets(tx: Tx, envelopes: Sequence[Envelope[PasswordResetRequested]]) -> None:
        """Whoever forgot a password gets a mail, if they are somebody."""
        asked = [Asked(e.event.email, e.follow()) for e in envelopes]
        await passwords.send_resets(tx, Mailing.of(settings), asked)

    @on(ApiKeyCreated)
    async def write_of_keys(tx: Tx, envelopes: Sequence[Envelope[ApiKeyCreated]]) -> None:
        """Whoever gets a key that they did not ask for hears of it."""
        await api_keys.write_of_keys(tx, [Made(e.event.user_id, e.follow()) for e in envelopes])

    access = (lower_access, end_access, end_access_of_deactivated, end_access_of_deleted)
    return (record_acts, remember_tiers, *access, send_resets, write_of_keys)
