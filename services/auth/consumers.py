"""Who asked over the bus? Contexts that tell who did what and what they hold, billing that tells plans, auth itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC
from typing import TypeAlias
from uuid import UUID

from libs.kit.db import Tx
from libs.kit.handlers import Handlers, on, on_each
from libs.kit.personal_data.erased import unless_erased
from libs.schema.audit import INSTALLATION, ActResult, SecurityActed
from libs.schema.auth import (
    ApiKeyCreated,
    EmailVerified,
    LockReason,
    MailTemplate,
    PasswordChange,
    PasswordChanged,
    PasswordResetRequested,
    RoleChanged,
    SessionRevoked,
    SupportEntered,
    UserDeactivated,
    UserDeleted,
    UserLocked,
)
from libs.schema.billing import EntitlementsChanged
from libs.schema.event import Envelope
from libs.schema.privacy import DataExportAnswered, DataExportPart, PersonalDataErased
from libs.schema.workspaces import MemberRemoved, MemberRoleChanged, WorkspacePolicyChanged
from services.auth.commands import access, api_keys, audit, erasures, exports, passwords
from services.auth.commands.api_keys import Reset
from services.auth.commands.first_proof import Proved, end_what_was_before
from services.auth.commands.mails import Due, Mailing, lock_addressees, write_to_each
from services.auth.commands.passwords import Asked
from services.auth.commands.tiers import change_tiers
from services.auth.model import HELPERS, SCOPES_OF_ROLE, Role, SecurityAct
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
async def end_access_of_lowered(tx: Tx, changed: Sequence[Envelope[MemberRoleChanged]]) -> None:
    """Whoever may do less in a workspace than before may do it at once."""
    for one in changed:
        if not _allows(one.event.role) >= _allows(one.event.previous_role):
            access.end_in(tx, one.event.workspace_id, one.event.user_id, one.follow())


def _allows(role: str) -> frozenset[str]:
    return SCOPES_OF_ROLE[Role(role)]


@on(MemberRemoved)
async def end_access_of_removed(tx: Tx, removed: Sequence[Envelope[MemberRemoved]]) -> None:
    """Whoever is no member any more is shut out at once."""
    for one in removed:
        access.end_in(tx, one.event.workspace_id, one.event.user_id, one.follow())


@on(WorkspacePolicyChanged)
async def end_access_under_older_policies(tx: Tx, changed: Sequence[Envelope[WorkspacePolicyChanged]]) -> None:
    """A second factor that is demanded is demanded at once; whoever has shown one refreshes."""
    for one in changed:
        if one.event.second_factor_required:
            await access.end_for_all(tx, one.event.workspace_id, one.follow())


@on(RoleChanged)
async def end_access_of_former_staff(tx: Tx, changed: Sequence[Envelope[RoleChanged]]) -> None:
    """Whoever was let into workspaces as what they were is out of them."""
    for one in changed:
        if one.event.previous_role in HELPERS:
            access.end_everywhere(tx, one.event.workspace_id, one.event.user_id, one.follow())


@on(UserLocked)
async def end_access_of_locked(tx: Tx, locked: Sequence[Envelope[UserLocked]]) -> None:
    """Support's lock stops a person's programs, too. Guesses stop none: that would be a way to stop anybody's."""
    for one in locked:
        if one.event.reason is LockReason.SUPPORT:
            access.end_everywhere(tx, one.event.workspace_id, one.event.user_id, one.follow())


@on(UserDeactivated)
async def end_access_of_deactivated(tx: Tx, told: Sequence[Envelope[UserDeactivated]]) -> None:
    """Sessions end with the person; what programs and grants gave ends here."""
    for one in told:
        access.end_everywhere(tx, one.event.workspace_id, one.event.user_id, one.follow())


@on(UserDeleted)
async def end_access_of_deleted(tx: Tx, told: Sequence[Envelope[UserDeleted]]) -> None:
    """Sessions end with the person; what programs and grants gave ends here."""
    for one in told:
        access.end_everywhere(tx, one.event.workspace_id, one.event.user_id, one.follow())


_AboutSomebody: TypeAlias = PasswordResetRequested | PasswordChanged | ApiKeyCreated | SupportEntered | EmailVerified


async def lock_people(tx: Tx, told: Sequence[Envelope[_AboutSomebody]]) -> None:
    """Whoever is written to, or loses keys, is locked first, all in one order: events name them in any."""
    await lock_addressees(tx, [_addressee(one.event) for one in told])


def _addressee(event: _AboutSomebody) -> UUID | str:
    if isinstance(event, PasswordResetRequested):
        return event.email
    return event.on_behalf_of if isinstance(event, SupportEntered) else event.user_id


@on(PasswordChanged, lock_people)
async def end_what_old_passwords_opened(tx: Tx, changed: Sequence[Envelope[PasswordChanged]]) -> None:
    """Sessions end with the password; what they opened ends here: visits of staff and, after a reset, keys."""
    resets = [one for one in changed if one.event.change is PasswordChange.RESET]
    await api_keys.revoke_after_resets(
        tx, [Reset(one.event.user_id, one.event.occurred_at, one.follow()) for one in resets]
    )
    await access.end_visits(tx, {one.event.user_id: one.follow() for one in changed})


@on(EmailVerified, lock_people)
async def end_what_was_before_the_proof(tx: Tx, proved: Sequence[Envelope[EmailVerified]]) -> None:
    """Factors and sessions end with the first proof of an address; what was given in workspaces ends here."""
    await end_what_was_before(tx, {one.event.user_id: Proved(one.event.occurred_at, one.follow()) for one in proved})


@on(SessionRevoked)
async def end_visits_of_ended_sessions(tx: Tx, ended: Sequence[Envelope[SessionRevoked]]) -> None:
    """Whoever logs out, everywhere or here, or is thrown out, leaves the workspaces that let them in as well."""
    await access.end_visits(tx, {one.event.user_id: one.follow() for one in ended})


@on(ApiKeyCreated, lock_people)
async def write_of_keys(tx: Tx, made: Sequence[Envelope[ApiKeyCreated]]) -> None:
    """Whoever gets a key that they did not ask for hears of it."""
    await write_to_each(tx, MailTemplate.API_KEY_CREATED, [Due(one.event.user_id, one.follow()) for one in made])


@on(SupportEntered, lock_people)
async def write_of_visits(tx: Tx, entered: Sequence[Envelope[SupportEntered]]) -> None:
    """Whoever let support in hears that it came."""
    due = [Due(one.event.on_behalf_of, one.follow()) for one in entered]
    await write_to_each(tx, MailTemplate.SUPPORT_ENTERED, due)


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


_ENDING_ACCESS = (
    end_access_of_lowered,
    end_access_of_removed,
    end_access_under_older_policies,
    end_access_of_former_staff,
    end_access_of_locked,
    end_access_of_deactivated,
    end_access_of_deleted,
    end_what_old_passwords_opened,
    end_visits_of_ended_sessions,
    end_what_was_before_the_proof,
)


def handlers(settings: Settings) -> Handlers:
    """What this context listens to."""

    @on(PasswordResetRequested, lock_people)
    async def send_resets(tx: Tx, envelopes: Sequence[Envelope[PasswordResetRequested]]) -> None:
        """Whoever forgot a password gets a mail, if they are somebody."""
        asked = [Asked(e.event.email, e.follow()) for e in envelopes]
        await passwords.send_resets(tx, Mailing.of(settings), asked)

    forgetful = unless_erased(remember_tiers, keep_parts, keep_answers, write_of_keys, write_of_visits)
    # First what takes turns with erasures: whoever waits for one holds nobody meanwhile.
    return (*forgetful, *_ENDING_ACCESS, record_acts, send_resets, note_erased)
