"""What happens to somebody who wants to be erased? They wait, are shut out, erased here and everywhere, and it is certified.

Locks are taken in one order: the context's erasures, the person, their erasure, their workspaces, their sessions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from libs.kit.acts import SYSTEM, Act, Origin, Target, tell_act
from libs.kit.crypto.encryption import Encryption
from libs.kit.db import Tx
from libs.kit.logging import logger
from libs.kit.personal_data.answers import erase_holdings
from libs.kit.personal_data.erased import erase_alone
from libs.kit.steps import Step
from libs.schema.auth import AccessRevoked, MailTemplate, SessionEnd
from libs.schema.privacy import PersonalDataErased
from services.auth.certificates import sign_certificate
from services.auth.commands.accounts import hindrance_to_leave
from services.auth.commands.acts import tell_of_user
from services.auth.commands.mails import Mailing, write_to
from services.auth.commands.privacy_terms import Terms
from services.auth.commands.sessions import end_sessions
from services.auth.commands.signing_keys import signing_key
from services.auth.model import Erasure, ErasureState, User
from services.auth.personal_data import HOLDINGS
from services.auth.repository import erasures, users
from services.auth.tokens import Issuing

log = logger(__name__)

_POSTPONED = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Erasing:
    """What it takes to erase somebody."""

    encryption: Encryption
    issuing: Issuing
    mailing: Mailing
    terms: Terms


async def request_erasure(tx: Tx, home_id: UUID, user_id: UUID, waiting: timedelta, origin: Origin) -> Erasure:
    """Let a person wait for their erasure; a second wish changes nothing about the first.

    Raises Conflict for the last super admin.
    """
    user = await users.lock_user(tx, user_id)
    known = await erasures.lock_open(tx, user_id)
    if known is not None:
        return known
    if (refusal := await hindrance_to_leave(tx, user)) is not None:
        raise refusal
    erasure = Erasure.wish(home_id, user_id, tx.now, waiting)
    tx.add(erasure)
    await tx.flush()
    tx.publish(erasure, *erasure.request(tx.now))
    write_to(tx, user, MailTemplate.ERASURE_REQUESTED)
    tell_of_user(tx, "erasure.requested", user, origin)
    return erasure


async def cancel_erasure(tx: Tx, user_id: UUID, origin: Origin) -> None:
    """Let a person stay, whether they wanted to go or not. Raises Conflict when it is too late."""
    user = await users.lock_user(tx, user_id)
    erasure = await erasures.lock_open(tx, user_id)
    if erasure is None:
        return
    tx.publish(erasure, *erasure.cancel(tx.now))
    write_to(tx, user, MailTemplate.ERASURE_CANCELLED)
    tell_of_user(tx, "erasure.cancelled", user, origin)


def steps(how: Erasing) -> tuple[Step, ...]:
    """What becomes of erasures by themselves. None waits for another: each step has its own."""

    async def due_to_close(tx: Tx) -> UUID | None:
        return await erasures.due(tx, ErasureState.WAITING)

    async def due_to_erase(tx: Tx) -> UUID | None:
        return await erasures.due(tx, ErasureState.CLOSED)

    async def close_(tx: Tx, erasure_id: UUID) -> None:
        await close(tx, how, erasure_id)

    async def erase_(tx: Tx, erasure_id: UUID) -> None:
        await erase(tx, how, erasure_id)

    async def certify_(tx: Tx, erasure_id: UUID) -> None:
        await certify(tx, how.issuing, erasure_id)

    return (
        Step("close_account", due_to_close, close_, put_off),
        Step("erase", due_to_erase, erase_, put_off),
        Step("certify_erasure", erasures.answered_by_all, certify_, put_off),
    )


async def close(tx: Tx, how: Erasing, erasure_id: UUID) -> None:
    """Shut out a person who has waited long enough. Needs a worker's transaction."""
    user = await users.lock_user(tx, await erasures.person_of(tx, erasure_id))
    erasure = await erasures.lock(tx, erasure_id)
    if not erasure.is_due(ErasureState.WAITING, tx.now):
        return
    if await hindrance_to_leave(tx, user) is not None:
        erasure.postpone(tx.now + _POSTPONED)
    elif await _workspaces(tx, erasure) is not None:
        erasure.close(how.mailing.tell_last(tx, user, MailTemplate.ACCOUNT_CLOSED), tx.now, how.terms.closing)
        tx.publish(user, *user.delete(tx.now))
        await _shut_out(tx, user)


async def erase(tx: Tx, how: Erasing, erasure_id: UUID) -> None:
    """Erase a person who was shut out long enough. Needs a worker's transaction."""
    # Before any row is locked: handlers that were let through may want the same rows.
    await erase_alone(tx)
    user = await users.lock_user(tx, await erasures.person_of(tx, erasure_id))
    erasure = await erasures.lock(tx, erasure_id)
    if not erasure.is_due(ErasureState.CLOSED, tx.now):
        return
    workspace_ids = await _workspaces(tx, erasure)
    if workspace_ids is not None:
        await _erase(tx, how, user, erasure, workspace_ids)


async def _erase(tx: Tx, how: Erasing, user: User, erasure: Erasure, workspace_ids: tuple[UUID, ...]) -> None:
    await _shut_out(tx, user)
    for workspace_id in workspace_ids:
        await how.encryption.shred(tx, workspace_id)
    await erasures.forget_by_address(tx, user)
    user.anonymise(tx.now)
    told = erasure.erase(workspace_ids, tx.now)
    tx.publish(erasure, told)
    # What is mapped is written before what it is about is deleted.
    await tx.flush()
    await erase_holdings(tx, HOLDINGS, told, how.terms.messages, tx.cause)
    tell_act(tx, None, Act("user.erased", SYSTEM, Target("user", user.id)))


async def keep_answer(tx: Tx, told: PersonalDataErased) -> None:
    """Keep what a context has erased and what it keeps. Needs a worker's transaction."""
    await erasures.insert_answer(tx, told)


async def certify(tx: Tx, issuing: Issuing, erasure_id: UUID) -> None:
    """Sign the certificate of an erasure that every context has answered. Needs a worker's transaction."""
    # Before the row is locked: the key service may take its time.
    key = await signing_key(tx, issuing)
    erasure = await erasures.lock(tx, erasure_id)
    if erasure.state == ErasureState.ERASED:
        answers = await erasures.answers(tx, erasure_id)
        erasure.certify(sign_certificate(key, erasure, answers, tx.now), tx.now)


async def put_off(tx: Tx, erasure_id: UUID) -> None:
    """Let an erasure wait that something failed with, if it is still due. Needs a worker's transaction."""
    erasure = await erasures.lock(tx, erasure_id)
    if erasure.next_at <= tx.now:
        erasure.put_off(tx.now)


async def _workspaces(tx: Tx, erasure: Erasure) -> tuple[UUID, ...] | None:
    """The workspaces that go with the person; None when others are in one of them, so that it has to wait."""
    owned = await erasures.lock_owned(tx, erasure.user_id, erasure.tenant_id)
    if not await erasures.any_shared(tx, erasure.user_id, owned):
        return owned
    log.warning("erasure_postponed", erasure_id=str(erasure.id), reason="others are in a workspace of theirs")
    erasure.postpone(tx.now + _POSTPONED)
    return None


async def _shut_out(tx: Tx, user: User) -> None:
    """End every session, and every token of whatever came from none."""
    await end_sessions(tx, user.id, SessionEnd.ACCOUNT_CLOSED, Origin())
    revoked = AccessRevoked(
        occurred_at=tx.now, user_id=user.id, session_id=None, workspace_id=None, issued_before=tx.now
    )
    tx.publish(user, revoked)
