"""What happens at a login? The try is counted, the password checked elsewhere, and then it is complete, or half done.

A person with a second factor gets a challenge instead of a session, and what failed before is not forgiven: whoever knows
a password could otherwise guess codes for ever. Passwords and one-time codes are guarded apart, and a guess at one locks
nothing but that one; passkeys and recovery codes are not guessed, so that a stranger's guesses never keep their holder out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from uuid import UUID

from libs.kit.acts import Origin
from libs.kit.db import Tx
from libs.kit.errors import RateLimited
from libs.kit.http.client_address import neighbourhood
from libs.schema.auth import LockReason
from services.auth.commands.acts import tell_of_refusal, tell_of_user
from services.auth.commands.challenges import Posed, pose
from services.auth.commands.mails import Mailing
from services.auth.commands.proofs import factors_of
from services.auth.commands.sessions import Authenticated, Tokens, open_session
from services.auth.model import Ask, Factor, Method, User, email_key
from services.auth.model.login import (
    CODES_REMEMBERED,
    NOBODY,
    Login,
    LoginResult,
    Patience,
    account_subject,
    address_subject,
    codes_subject,
)
from services.auth.model.mailed_token import Purpose
from services.auth.repository import logins, users
from services.auth.repository.users import Credentials
from services.auth.settings import Settings
from services.auth.tokens import Issuing

_FREE = 3
_REASONS: Mapping[LoginResult, str] = MappingProxyType({
    LoginResult.WRONG: "wrong address or password",
    LoginResult.WRONG_FACTOR: "wrong second factor",
    LoginResult.SHUT_OUT: "locked, deactivated or deleted",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lockout:
    """How patient this installation is with an account, and with an address."""

    account: Patience
    address: Patience
    codes: Patience
    """With one-time codes: there are a million, and whoever guesses them knows the password."""

    @classmethod
    def of(cls, settings: Settings) -> Lockout:
        """What the settings say."""
        pause = timedelta(seconds=settings.auth_lock_seconds)
        return cls(
            Patience(min(_FREE, settings.auth_account_failures - 1), settings.auth_account_failures, pause),
            # Many people may share an address: it is not slowed down before it is shut out.
            Patience(settings.auth_address_failures - 1, settings.auth_address_failures, pause),
            Patience(min(_FREE, settings.auth_account_failures - 1), settings.auth_account_failures, CODES_REMEMBERED),
        )


@dataclass(frozen=True, slots=True)
class Checked:
    """A try whose password was checked; `known` is None when nobody has the address."""

    email: str
    origin: Origin
    known: Credentials | None
    matched: bool
    renewed_hash: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Challenged:
    """A login whose password was right, and what its person can show to complete it."""

    posed: Posed
    factors: tuple[Factor, ...]


@dataclass(frozen=True, slots=True)
class Claimed:
    """A try that was counted before it is made, and the guards that count it."""

    subjects: tuple[bytes, ...]


UNCOUNTED = Claimed(())
"""A try that nobody could make by guessing."""


@dataclass(frozen=True, slots=True)
class Guessable:
    """What of all that is shown could be a guess."""

    password: bool
    code: bool


async def claim_try(tx: Tx, lockout: Lockout, email: str, origin: Origin) -> Claimed:
    """Count one more password for an account and from an address. Raises RateLimited when it has to wait, known or not."""
    account, address = _subjects(email, origin)
    return await _claim(tx, {account: lockout.account, address: lockout.address}, (account, address))


async def claim_proof(tx: Tx, lockout: Lockout, user: User, shown: Guessable, origin: Origin) -> Claimed:
    """The same for what a person shows, whose row `tx` has locked: each kind is counted by a guard of its own."""
    if not shown.password and not shown.code:
        return UNCOUNTED
    account, address = _subjects(user.email, origin)
    patience = {address: lockout.address}
    if shown.password:
        patience[account] = lockout.account
    if shown.code:
        patience[codes_subject(user.id)] = lockout.codes
    # All that may be forgiven in this transaction is locked now, in one order.
    return await _claim(tx, patience, (account, address, codes_subject(user.id)))


async def _claim(tx: Tx, patience: Mapping[bytes, Patience], locked: Sequence[bytes]) -> Claimed:
    guards = await logins.lock_guards(tx, locked)
    waits = [guards[subject].claim(borne, tx.now) for subject, borne in patience.items()]
    longest = max((wait for wait in waits if wait is not None), default=None)
    if longest is not None:
        raise RateLimited(
            "too many logins failed: wait, or reset the password", retry_after=math.ceil(longest.total_seconds())
        )
    return Claimed(tuple(patience))


async def settle_try(
    tx: Tx, issuing: Issuing, lockout: Lockout, mailing: Mailing, checked: Checked
) -> Tokens | Challenged | None:
    """Open a session if the password was right and the person may log in; None otherwise, with as much work done.

    `tx` is a transaction of the person's home, or of nobody's. The caller commits before it refuses. People are locked
    before guards, everywhere.
    """
    user = await users.lock_known(tx, NOBODY if checked.known is None else checked.known.user_id)
    if user is not None and user.email_key != email_key(checked.email):
        # Erased since the password was checked: nothing about them is to be kept.
        user, checked = None, replace(checked, known=None)
    account, address = _subjects(checked.email, checked.origin)
    guards = await logins.lock_guards(tx, [account, address])
    if user is None or not _still_matches(checked, user):
        _refuse(tx, checked, LoginResult.WRONG)
        if user is not None and guards[account].failures >= lockout.account.failures:
            await lock(tx, lockout, mailing, user, checked.origin)
        return None
    if not user.may_log_in_by_password(tx.now):
        _refuse(tx, checked, LoginResult.SHUT_OUT)
        return None
    factors = await factors_of(tx, user)
    # All that is changed is changed after the last question, so that it is written once.
    _renew_hash(user, checked)
    guards[address].give_back()
    if factors:
        guards[account].give_way(lockout.account, tx.now)
        return Challenged(await pose(tx, user, Ask.SECOND_FACTOR, (Method.PASSWORD,)), factors)
    guards[account].forgive()
    note(tx, user, LoginResult.SUCCEEDED, checked.origin)
    login = Authenticated(user, user.default_workspace_id, tx.now, (Method.PASSWORD,))
    return await open_session(tx, issuing, login, checked.origin)


def _renew_hash(user: User, checked: Checked) -> None:
    known = checked.known
    if checked.renewed_hash is not None and known is not None and user.password_hash == known.password_hash:
        user.rehash_password(checked.renewed_hash)


def _still_matches(checked: Checked, user: User) -> bool:
    """Whether the password was right, and has not been changed since it was checked."""
    known = checked.known
    return checked.matched and known is not None and user.password_changed_at == known.password_changed_at


async def forgive(tx: Tx, user: User) -> None:
    """Let nothing that failed before slow a person down who showed who they are; `tx` has locked their row."""
    subject = account_subject(user.email_key)
    (await logins.lock_guards(tx, [subject]))[subject].forgive()


async def forgive_all(tx: Tx, user: User, claimed: Claimed = UNCOUNTED) -> None:
    """The same for who showed all that they have to; their address only gets back the one try that it counted."""
    own = {account_subject(user.email_key), codes_subject(user.id)}
    for subject, guard in (await logins.lock_guards(tx, [*own, *claimed.subjects])).items():
        if subject in own:
            guard.forgive()
        else:
            guard.give_back()


async def forgive_password(tx: Tx, user: User) -> None:
    """The password of a person, whose row `tx` has locked, was right: what else was shown with it failed alone."""
    subject = account_subject(user.email_key)
    (await logins.lock_guards(tx, [subject]))[subject].give_back()


async def lock_if_too_many(tx: Tx, lockout: Lockout, mailing: Mailing, user: User, origin: Origin) -> None:
    """Lock a person, whose row `tx` has locked, after as many failed tries as are borne."""
    subject = account_subject(user.email_key)
    if (await logins.lock_guards(tx, [subject]))[subject].failures >= lockout.account.failures:
        await lock(tx, lockout, mailing, user, origin)


async def excuse(tx: Tx, claimed: Claimed) -> None:
    """A try that was counted did not fail: it was right, or could not be made."""
    for guard in (await logins.lock_guards(tx, claimed.subjects)).values():
        guard.give_back()


def _subjects(email: str, origin: Origin) -> tuple[bytes, bytes]:
    network = None if origin.address is None else neighbourhood(origin.address)
    return account_subject(email_key(email)), address_subject(network)


async def lock(tx: Tx, lockout: Lockout, mailing: Mailing, user: User, origin: Origin) -> None:
    """Take no password of a person, whose row `tx` has locked, for a while, and tell them."""
    told = user.lock(tx.now + lockout.account.pause, LockReason.FAILED_LOGINS, tx.now)
    if told:
        tx.publish(user, *told)
        tell_of_user(tx, "user.locked", user, origin, "too many logins failed")
        await mailing.send(tx, user, Purpose.UNLOCK)


def _refuse(tx: Tx, checked: Checked, result: LoginResult) -> None:
    known = checked.known
    home_id, user_id = (None, None) if known is None else (known.home_id, known.user_id)
    tx.add(_login(home_id, user_id, result, checked.origin, tx.now))
    tell_of_refusal(tx, home_id, user_id, checked.origin, _REASONS[result])


def note(tx: Tx, user: User, result: LoginResult, origin: Origin) -> None:
    """Keep how a try ended, for the person to see; a refusal is in the trail, too."""
    tx.add(_login(user.default_workspace_id, user.id, result, origin, tx.now))
    if result is not LoginResult.SUCCEEDED:
        tell_of_refusal(tx, user.default_workspace_id, user.id, origin, _REASONS[result])


def _login(home_id: UUID | None, user_id: UUID | None, result: LoginResult, origin: Origin, at: datetime) -> Login:
    return Login(
        tenant_id=home_id or NOBODY,
        user_id=user_id,
        result=result,
        device=origin.device,
        address=origin.address,
        at=at,
    )
