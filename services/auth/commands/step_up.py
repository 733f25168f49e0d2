"""What happens when somebody shows once more who they are? Their session is as fresh as a login, and goes on.

It takes all that a login takes (ASVS 5.0, 7.5.1 and 7.5.3): whoever has a second factor shows it with the password, or a
passkey that checks them; whoever has none, the password.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from libs.kit.acts import Act, Actor, Origin, Target, tell_act
from libs.kit.db import Tx
from libs.kit.errors import Invalid
from libs.schema.audit import ActorKind, ActResult
from services.auth.commands.acts import tell_of_session
from services.auth.commands.challenges import hold as hold_challenge
from services.auth.commands.logins import (
    Claimed,
    Guessable,
    claim_proof,
    excuse,
    forgive_all,
    forgive_password,
    lock_if_too_many,
)
from services.auth.commands.proofs import NotDone, Shown, ShownCode, ShownPasskey, factors_of, prove
from services.auth.commands.second_step import Entrance, all_of
from services.auth.commands.sessions import Continued, Tokens, go_on, hold, refuse_former_member
from services.auth.model import Ask, Method, User
from services.auth.passkeys import AuthenticationAnswer
from services.auth.repository import sessions, users
from services.auth.repository.users import Credentials
from services.auth.tokens import Ticket


@dataclass(frozen=True, slots=True)
class AnsweredPasskey:
    """A passkey's answer, and the challenge that asked it."""

    challenge: Ticket
    answer: AuthenticationAnswer


@dataclass(frozen=True, slots=True)
class Offered:
    """What somebody wants to show anew for a session, and from where."""

    session: Ticket
    origin: Origin
    password: str | None = field(repr=False)
    code: ShownCode | None
    passkey: AnsweredPasskey | None

    @property
    def guessable(self) -> Guessable:
        """What of it somebody could have guessed."""
        code = self.code is not None and self.code.digits is not None
        return Guessable(password=self.password is not None, code=code)


@dataclass(frozen=True, slots=True)
class Looked:
    """A try as it was counted, and what its password was found right for; None when it was not, or there was none."""

    claimed: Claimed
    matched: Credentials | None


@dataclass(frozen=True, slots=True)
class Begun:
    """Whose try was counted, and what their password is to be checked against."""

    claimed: Claimed
    known: Credentials


async def begin(tx: Tx, entrance: Entrance, offered: Offered) -> Begun | None:
    """Count a try to show anew who the person of a session is; None when its refresh token is not known.

    Raises Invalid when what is offered can't be enough, and RateLimited when it has to wait.
    """
    owner_id = await sessions.owner_of(tx, offered.session.digest)
    user = None if owner_id is None else await users.lock_known(tx, owner_id)
    if user is None:
        return None
    await _refuse_too_little(tx, user, offered)
    claimed = await claim_proof(tx, entrance.lockout, user, offered.guessable, offered.origin)
    known = Credentials(user.id, user.default_workspace_id, user.password_hash, user.password_changed_at)
    return Begun(claimed, known)


async def _refuse_too_little(tx: Tx, user: User, offered: Offered) -> None:
    if offered.passkey is not None:
        return
    if offered.password is None:
        raise Invalid("/password", "is missing, unless a passkey is shown", slug="password-required")
    if offered.code is None and await factors_of(tx, user):
        raise Invalid("/code", "is missing: you have a second factor", slug="second-factor-required")


async def finish(tx: Tx, entrance: Entrance, offered: Offered, looked: Looked) -> Tokens | NotDone:
    """Make the session fresh if all that was offered is right. The caller commits before it refuses."""
    continued = await hold(tx, offered.session, offered.origin)
    if continued is None:
        return NotDone.WRONG
    await refuse_former_member(tx, continued)
    methods = await _shown(tx, entrance, continued.user, offered, looked.matched)
    if isinstance(methods, NotDone):
        _tell_of_refusal(tx, continued, offered.origin)
        if methods.is_mistake:
            await excuse(tx, looked.claimed)
        else:
            await _count(tx, entrance, continued.user, offered, looked)
        return methods
    await forgive_all(tx, continued.user, looked.claimed)
    continued.session.show_anew(methods, tx.now)
    tell_of_session(tx, "session.stepped_up", continued.session, offered.origin)
    return await go_on(tx, entrance.issuing, continued, offered.origin)


async def _count(tx: Tx, entrance: Entrance, user: User, offered: Offered, looked: Looked) -> None:
    """Charge the password that failed alone."""
    if looked.matched is not None:
        await forgive_password(tx, user)
    elif offered.password is not None:
        await lock_if_too_many(tx, entrance.lockout, entrance.proving.mailing, user, offered.origin)


async def _shown(
    tx: Tx, entrance: Entrance, user: User, offered: Offered, matched: Credentials | None
) -> tuple[Method, ...] | NotDone:
    """In which ways the person has shown who they are, or why they have not, or not enough any more."""
    knows = matched is not None and user.password_changed_at == matched.password_changed_at
    may = user.may_log_in_by_password(tx.now) if offered.password is not None else user.may_be_acted_for(tx.now)
    if not may or (offered.password is not None and not knows):
        return NotDone.WRONG
    before = (Method.PASSWORD,) if knows else ()
    shown = await _second(tx, user, offered)
    if shown is None:
        return NotDone.WRONG if await factors_of(tx, user) else before or NotDone.WRONG
    proved = await prove(tx, entrance.proving, user, shown, offered.origin)
    return proved if isinstance(proved, NotDone) else all_of(before, proved)


async def _second(tx: Tx, user: User, offered: Offered) -> Shown | None:
    if offered.passkey is None:
        return offered.code
    held = await hold_challenge(tx, offered.passkey.challenge, Ask.STEP_UP)
    if held is None or held.user.id != user.id:
        return ShownPasskey(offered.passkey.answer, None)
    held.challenge.close(tx.now)
    return ShownPasskey(offered.passkey.answer, held.challenge.attempt())


def _tell_of_refusal(tx: Tx, continued: Continued, origin: Origin) -> None:
    actor, target = Actor(ActorKind.USER, origin=origin), Target("session", continued.session.id)
    refused = Act("session.stepped_up", actor, target, ActResult.REFUSED, "wrong password or second factor")
    tell_act(tx, continued.session.tenant_id, refused)
