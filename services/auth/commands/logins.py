"""What happens at a login? The try is counted, the password checked elsewhere, and then a session opened or refused."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import timedelta

from libs.kit.acts import Origin
from libs.kit.db import Tx
from libs.kit.errors import RateLimited
from libs.kit.http.client_address import neighbourhood
from libs.schema.auth import LockReason
from services.auth.commands.acts import tell_of_refusal, tell_of_user
from services.auth.commands.mails import Mailing
from services.auth.commands.sessions import Authenticated, Tokens, open_session
from services.auth.model import Method, User, email_key
from services.auth.model.login import (
    NOBODY,
    Login,
    LoginResult,
    Patience,
    account_subject,
    address_subject,
)
from services.auth.model.mailed_token import Purpose
from services.auth.repository import logins, users
from services.auth.repository.users import Credentials
from services.auth.settings import Settings
from services.auth.tokens import Issuing

_FREE = 3


@dataclass(frozen=True, slots=True)
class Lockout:
    """How patient this installation is with an account, and with an address."""

    account: Patience
    address: Patience

    @classmethod
    def of(cls, settings: Settings) -> Lockout:
        """What the settings say."""
        pause = timedelta(seconds=settings.auth_lock_seconds)
        return cls(
            Patience(min(_FREE, settings.auth_account_failures - 1), settings.auth_account_failures, pause),
            # Many people may share an address: it is not slowed down before it is shut out.
            Patience(settings.auth_address_failures - 1, settings.auth_address_failures, pause),
        )


@dataclass(frozen=True, slots=True)
class Checked:
    """A try whose password was checked; `known` is None when nobody has the address."""

    email: str
    origin: Origin
    known: Credentials | None
    matched: bool
    renewed_hash: str | None = field(repr=False)


async def claim_try(tx: Tx, lockout: Lockout, email: str, origin: Origin) -> None:
    """Count one more try for an account and from an address. Raises RateLimited when it has to wait, known or not."""
    account, address = _subjects(email, origin)
    guards = await logins.lock_guards(tx, [account, address])
    waits = [guards[account].claim(lockout.account, tx.now), guards[address].claim(lockout.address, tx.now)]
    longest = max((wait for wait in waits if wait is not None), default=None)
    if longest is not None:
        raise RateLimited(
            "too many logins failed: wait, or reset the password", retry_after=math.ceil(longest.total_seconds())
        )


async def settle_try(tx: Tx, issuing: Issuing, lockout: Lockout, mailing: Mailing, checked: Checked) -> Tokens | None:
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
        _refuse(tx, checked, LoginResult.WRONG, "wrong address or password")
        if user is not None and guards[account].failures >= lockout.account.failures:
            await _lock(tx, lockout, mailing, user, checked.origin)
        return None
    if not user.may_log_in(tx.now):
        _refuse(tx, checked, LoginResult.SHUT_OUT, "locked, deactivated or deleted")
        return None
    guards[account].forgive()
    guards[address].give_back()
    if (
        checked.renewed_hash is not None
        and checked.known is not None
        and user.password_hash == checked.known.password_hash
    ):
        user.rehash_password(checked.renewed_hash)
    _note(tx, checked, LoginResult.SUCCEEDED)
    login = Authenticated(user, user.default_workspace_id, tx.now, (Method.PASSWORD,))
    return await open_session(tx, issuing, login, checked.origin)


def _still_matches(checked: Checked, user: User) -> bool:
    """Whether the password was right, and has not been changed since it was checked."""
    known = checked.known
    return checked.matched and known is not None and user.password_changed_at == known.password_changed_at


async def forgive(tx: Tx, user: User) -> None:
    """Let nothing that failed before slow a person down who showed who they are; `tx` has locked their row."""
    subject = account_subject(user.email_key)
    (await logins.lock_guards(tx, [subject]))[subject].forgive()


async def excuse(tx: Tx, email: str, origin: Origin) -> None:
    """The try that was claimed last did not fail."""
    for guard in (await logins.lock_guards(tx, _subjects(email, origin))).values():
        guard.give_back()


def _subjects(email: str, origin: Origin) -> tuple[bytes, bytes]:
    network = None if origin.address is None else neighbourhood(origin.address)
    return account_subject(email_key(email)), address_subject(network)


async def _lock(tx: Tx, lockout: Lockout, mailing: Mailing, user: User, origin: Origin) -> None:
    told = user.lock(tx.now + lockout.account.pause, LockReason.FAILED_LOGINS, tx.now)
    if told:
        tx.publish(user, *told)
        tell_of_user(tx, "user.locked", user, origin, "too many logins failed")
        await mailing.send(tx, user, Purpose.UNLOCK)


def _refuse(tx: Tx, checked: Checked, result: LoginResult, reason: str) -> None:
    _note(tx, checked, result)
    known = checked.known
    home_id, user_id = (None, None) if known is None else (known.home_id, known.user_id)
    tell_of_refusal(tx, home_id, user_id, checked.origin, reason)


def _note(tx: Tx, checked: Checked, result: LoginResult) -> None:
    known, origin = checked.known, checked.origin
    tx.add(
        Login(
            tenant_id=NOBODY if known is None else known.home_id,
            user_id=None if known is None else known.user_id,
            result=result,
            device=origin.device,
            address=origin.address,
            at=tx.now,
        )
    )
