"""Who asked over the bus? Contexts that tell who did what, billing that tells plans, and auth itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from libs.kit.db import Tx
from libs.kit.handlers import Handlers, on
from libs.schema.audit import INSTALLATION, SecurityActed
from libs.schema.auth import ApiKeyCreated, PasswordResetRequested, UserDeactivated, UserDeleted
from libs.schema.billing import EntitlementsChanged
from libs.schema.event import Envelope
from services.auth.commands import api_keys, audit, passwords, programs
from services.auth.commands.api_keys import Made
from services.auth.commands.mails import Mailing
from services.auth.commands.passwords import Asked
from services.auth.commands.programs import ShutOut
from services.auth.commands.tiers import change_tiers
from services.auth.model import SecurityAct
from services.auth.repository.tiers import Plan
from services.auth.settings import Settings


def _act(envelope: Envelope[SecurityActed]) -> SecurityAct:
    """The act in our own words. Raises ValueError when one workspace's transaction told of another's trail."""
    told = envelope.event
    if (envelope.tenant_id or INSTALLATION) != told.workspace_id:
        raise ValueError(f"an act of {envelope.tenant_id or 'no workspace'} names the trail of {told.workspace_id}")
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


@on(SecurityActed)
async def record_acts(tx: Tx, envelopes: Sequence[Envelope[SecurityActed]]) -> None:
    """An act is recorded behind the last one of its workspace."""
    await audit.record(tx, [_act(envelope) for envelope in envelopes])


@on(EntitlementsChanged)
async def remember_tiers(tx: Tx, changed: Sequence[Envelope[EntitlementsChanged]]) -> None:
    """A workspace's tier is the plan that it is on."""
    await change_tiers(tx, [Plan(one.event.workspace_id, one.event.plan, one.sequence) for one in changed])


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
        await api_keys.write_of_keys(tx, Mailing.of(settings), [Made(e.event.user_id, e.follow()) for e in envelopes])

    own = (send_resets, write_of_keys)
    return (record_acts, remember_tiers, end_access_of_deactivated, end_access_of_deleted, *own)
