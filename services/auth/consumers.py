"""Who asked over the bus? Contexts that tell who did what and what they hold, billing that tells plans, auth itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from libs.kit.db import Tx
from libs.kit.handlers import Handlers, on
from libs.kit.personal_data.erased import unless_erased
from libs.schema.audit import INSTALLATION, SecurityActed
from libs.schema.auth import PasswordResetRequested
from libs.schema.billing import EntitlementsChanged
from libs.schema.event import Envelope
from libs.schema.privacy import DataExportAnswered, DataExportPart, PersonalDataErased
from services.auth.commands import audit, erasures, exports, passwords
from services.auth.commands.mails import Mailing
from services.auth.commands.passwords import Asked
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


@on(DataExportPart)
async def keep_parts(tx: Tx, parts: Sequence[Envelope[DataExportPart]]) -> None:
    """A context tells a piece of what it holds about somebody."""
    for part in parts:
        await exports.keep_part(tx, part.event)


@on(DataExportAnswered)
async def keep_answers(tx: Tx, answers: Sequence[Envelope[DataExportAnswered]]) -> None:
    """A context has told all that it holds about somebody."""
    for answer in answers:
        await exports.keep_answer(tx, answer.event)


@on(PersonalDataErased)
async def note_erased(tx: Tx, answers: Sequence[Envelope[PersonalDataErased]]) -> None:
    """A context has erased somebody."""
    for answer in answers:
        await erasures.keep_answer(tx, answer.event)


def handlers(settings: Settings) -> Handlers:
    """What this context listens to."""

    @on(PasswordResetRequested)
    async def send_resets(tx: Tx, envelopes: Sequence[Envelope[PasswordResetRequested]]) -> None:
        """Whoever forgot a password gets a mail, if they are somebody."""
        asked = [Asked(e.event.email, e.follow()) for e in envelopes]
        await passwords.send_resets(tx, Mailing.of(settings), asked)

    forgetful = unless_erased(remember_tiers, keep_parts, keep_answers)
    return (record_acts, send_resets, note_erased, *forgetful)
