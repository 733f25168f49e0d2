"""Who asked over the bus? Contexts that tell who did what, billing that tells plans, and auth itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from libs.kit.db import Tx
from libs.kit.handlers import Handlers, on
from libs.schema.audit import INSTALLATION, SecurityActed
from libs.schema.auth import PasswordResetRequested, RoleChanged, SupportEntered, UserDeactivated, UserDeleted
from libs.schema.billing import EntitlementsChanged
from libs.schema.event import Envelope
from services.auth.commands import audit, passwords, support
from services.auth.commands.mails import Mailing
from services.auth.commands.passwords import Asked
from services.auth.commands.support import Happened
from services.auth.commands.tiers import change_tiers
from services.auth.model import HELPERS, SecurityAct
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


def _happened(
    envelopes: Sequence[Envelope[RoleChanged] | Envelope[UserDeactivated] | Envelope[UserDeleted]],
) -> list[Happened]:
    return [Happened(one.event.user_id, one.event.workspace_id, one.follow()) for one in envelopes]


@on(RoleChanged)
async def shut_out_former_staff(tx: Tx, changed: Sequence[Envelope[RoleChanged]]) -> None:
    """Whoever was let into workspaces as what they were is out of them."""
    support.shut_out(tx, _happened([one for one in changed if one.event.previous_role in HELPERS]))


@on(UserDeactivated)
async def shut_out_deactivated(tx: Tx, told: Sequence[Envelope[UserDeactivated]]) -> None:
    """Sessions end with the person; what they got by grants ends here."""
    support.shut_out(tx, _happened(told))


@on(UserDeleted)
async def shut_out_deleted(tx: Tx, told: Sequence[Envelope[UserDeleted]]) -> None:
    """Sessions end with the person; what they got by grants ends here."""
    support.shut_out(tx, _happened(told))


def handlers(settings: Settings) -> Handlers:
    """What this context listens to."""

    @on(PasswordResetRequested)
    async def send_resets(tx: Tx, envelopes: Sequence[Envelope[PasswordResetRequested]]) -> None:
        """Whoever forgot a password gets a mail, if they are somebody."""
        asked = [Asked(e.event.email, e.follow()) for e in envelopes]
        await passwords.send_resets(tx, Mailing.of(settings), asked)

    @on(SupportEntered)
    async def write_of_visits(tx: Tx, entered: Sequence[Envelope[SupportEntered]]) -> None:
        """Whoever let support in hears that it came."""
        visited = [Happened(one.event.on_behalf_of, one.event.workspace_id, one.follow()) for one in entered]
        await support.write_to_owners(tx, Mailing.of(settings), visited)

    return (
        record_acts,
        remember_tiers,
        send_resets,
        write_of_visits,
        shut_out_former_staff,
        shut_out_deactivated,
        shut_out_deleted,
    )
