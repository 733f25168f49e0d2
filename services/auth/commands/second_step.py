"""What happens after a right password? The person shows a second factor, once, and the login is complete.

Or before one: a passkey that has checked its person is enough by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from libs.kit.acts import Origin
from libs.kit.db import Tx
from libs.schema.auth import MailTemplate
from services.auth.commands.challenges import Held, hold
from services.auth.commands.logins import (
    UNCOUNTED,
    Claimed,
    Guessable,
    Lockout,
    claim_proof,
    excuse,
    forgive_all,
    note,
)
from services.auth.commands.proofs import NotDone, Proving, Shown, ShownCode, ShownPasskey, prove
from services.auth.commands.sessions import Authenticated, Tokens, open_session
from services.auth.model import Ask, Method, User
from services.auth.model.login import LoginResult
from services.auth.passkeys import AuthenticationAnswer
from services.auth.repository import second_factors, users
from services.auth.tokens import Issuing, Ticket

_TOLD_AFTER = 3


@dataclass(frozen=True, slots=True)
class Entrance:
    """How this installation lets people in."""

    issuing: Issuing
    lockout: Lockout
    proving: Proving


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody shows to complete a login, and how it was counted."""

    shown: Shown
    claimed: Claimed


async def show_code(
    tx: Tx, entrance: Entrance, presented: Ticket, shown: ShownCode, origin: Origin
) -> Tokens | NotDone:
    """Complete a login with a code. The caller commits before it refuses. Raises RateLimited when it has to wait.

    A try that could be a guess is counted before the code is looked at, under the lock of the person's row: many at once
    are no more than many in turn, and one code opens one session.
    """
    held = await hold(tx, presented, Ask.SECOND_FACTOR)
    if held is None:
        return NotDone.SPENT
    guessable = Guessable(password=False, code=shown.digits is not None)
    claimed = await claim_proof(tx, entrance.lockout, held.user, guessable, origin)
    held.challenge.attempt()
    return await _complete(tx, entrance, held, Answer(shown, claimed), origin)


async def show_passkey(
    tx: Tx, entrance: Entrance, presented: Ticket, answer: AuthenticationAnswer, origin: Origin
) -> Tokens | NotDone:
    """The same with a passkey, which the challenge has asked: there is nothing to guess, so that nothing is counted."""
    held = await hold(tx, presented, Ask.SECOND_FACTOR)
    if held is None:
        return NotDone.SPENT
    shown = ShownPasskey(answer, held.challenge.attempt())
    return await _complete(tx, entrance, held, Answer(shown, UNCOUNTED), origin)


async def _complete(tx: Tx, entrance: Entrance, held: Held, answer: Answer, origin: Origin) -> Tokens | NotDone:
    user, challenge = held.user, held.challenge
    before = tuple(Method(method) for method in challenge.methods)
    opened = await _enter(tx, entrance, user, answer.shown, before, origin)
    if isinstance(opened, NotDone):
        if opened.is_mistake:
            challenge.excuse()
            await excuse(tx, answer.claimed)
        elif challenge.attempts == _TOLD_AFTER:
            # The password was right: if it was not its owner, somebody else knows it.
            await entrance.proving.mailing.warn(tx, user, MailTemplate.SECOND_FACTOR_REFUSED)
        return opened
    await forgive_all(tx, user, answer.claimed)
    challenge.close(tx.now)
    return opened


async def log_in_by_passkey(
    tx: Tx, entrance: Entrance, user_id: UUID, shown: ShownPasskey, origin: Origin
) -> Tokens | NotDone:
    """Open a session for whom a passkey names, if it is theirs; `tx` is of their home.

    No try was counted, since there is nothing to guess: so the address gets none back.
    """
    user = await users.lock_known(tx, user_id)
    if user is not None and await second_factors.lock_by_credential(tx, user.id, shown.answer.credential_id) is None:
        # Nobody's passkey: nothing that the person has to hear of, as often as somebody likes.
        return NotDone.WRONG
    opened = NotDone.WRONG if user is None else await _enter(tx, entrance, user, shown, (), origin)
    if user is not None and not isinstance(opened, NotDone):
        await forgive_all(tx, user)
    return opened


async def _enter(
    tx: Tx, entrance: Entrance, user: User, shown: Shown, before: tuple[Method, ...], origin: Origin
) -> Tokens | NotDone:
    if not user.may_be_acted_for(tx.now):
        note(tx, user, LoginResult.SHUT_OUT, origin)
        return NotDone.WRONG
    proved = await prove(tx, entrance.proving, user, shown, origin)
    if isinstance(proved, NotDone):
        note(tx, user, LoginResult.WRONG_FACTOR if before else LoginResult.WRONG, origin)
        return proved
    note(tx, user, LoginResult.SUCCEEDED, origin)
    methods = all_of(before, proved)
    login = Authenticated(user, user.default_workspace_id, tx.now, methods)
    return await open_session(tx, entrance.issuing, login, origin) or NotDone.WRONG


def all_of(before: tuple[Method, ...], proved: tuple[Method, ...]) -> tuple[Method, ...]:
    """Every way in which somebody has shown who they are, and that these are several factors if they are."""
    several = (Method.MULTIPLE_FACTORS,) if before else ()
    return tuple(dict.fromkeys((*before, *proved, *several)))
