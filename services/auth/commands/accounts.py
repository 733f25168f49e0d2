"""What do staff do to accounts? They lock, close and open them, and give roles; what they may not is told as well.

Each begins with the account's row, then the office of super admins if it is about one of them, then whoever acts as they
are by then: of two who remove each other, the second is nobody any more. A refusal is given back, not raised, so that the
trail keeps it: the caller commits before it refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from libs.kit.acts import Actor
from libs.kit.db import Tx
from libs.kit.errors import Conflict, Invalid, Rejected
from libs.schema.audit import ActResult
from libs.schema.auth import LockReason, MailTemplate, SessionEnd
from libs.schema.event import DomainEvent
from services.auth.commands.acts import tell_of_account
from services.auth.commands.logins import forgive, forgive_all
from services.auth.commands.mails import write_to
from services.auth.commands.sessions import end_sessions_of
from services.auth.model import PlatformRole, User
from services.auth.model.staff import hindrance, hindrance_by_office, hindrance_to_role
from services.auth.repository import erasures, second_factors, staff, users

Outcome = User | Rejected
"""The account as it is now, or why it stays as it was."""
_Change = Callable[[User, datetime], list[DomainEvent]]


async def lock(tx: Tx, user_id: UUID, until: datetime, reason: str, by: Actor) -> Outcome:
    """Let nobody log in as a person until then, and end their sessions; they are told. Raises Invalid for the past."""
    if until <= tx.now:
        raise Invalid("/until", "is over already")
    user = await users.lock_user(tx, user_id)
    refusal = await _refusal_to_close(tx, user, by)
    if refusal is not None:
        return _refuse(tx, "user.locked", user, by, refusal)
    tx.publish(user, *user.lock(until, LockReason.SUPPORT, tx.now))
    tell_of_account(tx, "user.locked", user, by, reason)
    await end_sessions_of(tx, user, SessionEnd.REVOKED, by)
    write_to(tx, user, MailTemplate.ACCOUNT_LOCKED_BY_SUPPORT)
    return user


async def unlock(tx: Tx, user_id: UUID, by: Actor) -> Outcome:
    """Let a person log in again now, whoever locked them out; what they guessed before slows them down no more."""
    outcome = await _open(tx, user_id, by, "user.unlocked", User.unlock)
    if isinstance(outcome, User):
        await forgive(tx, outcome)
    return outcome


async def deactivate(tx: Tx, user_id: UUID, by: Actor) -> Outcome:
    """Shut a person out, and end their sessions."""
    return await _close(tx, user_id, by, "user.deactivated", User.deactivate)


async def reactivate(tx: Tx, user_id: UUID, by: Actor) -> Outcome:
    """Let a deactivated person in again."""
    return await _open(tx, user_id, by, "user.reactivated", User.reactivate)


async def delete(tx: Tx, user_id: UUID, by: Actor) -> Outcome:
    """Take a person out of sight, and end their sessions; `restore` undoes it."""
    return await _close(tx, user_id, by, "user.deleted", User.delete)


async def restore(tx: Tx, user_id: UUID, by: Actor) -> Outcome:
    """Undo `delete`."""
    return await _open(tx, user_id, by, "user.restored", User.restore)


async def remove_second_factors(tx: Tx, user_id: UUID, by: Actor) -> Outcome:
    """Take all second factors from somebody who lost them, and end their sessions; they are told."""
    user = await users.lock_user(tx, user_id)
    refusal = hindrance(await _whoever_acts(tx, user, by), user)
    if refusal is not None:
        return _refuse(tx, "second_factors.removed", user, by, refusal)
    await second_factors.delete_all(tx, user.id)
    await forgive_all(tx, user)
    tell_of_account(tx, "second_factors.removed", user, by)
    await end_sessions_of(tx, user, SessionEnd.REVOKED, by)
    write_to(tx, user, MailTemplate.SECOND_FACTOR_CHANGED)
    return user


async def change_role(tx: Tx, user_id: UUID, role: PlatformRole, by: Actor) -> Outcome:
    """Make somebody something else to the installation; they are told, and log in anew."""
    user = await users.lock_user(tx, user_id)
    actor = await _whoever_acts(tx, user, by)
    refusal = hindrance_to_role(actor, user, role) or await _hindrance_of_erasure(tx, user)
    if refusal is None and role is not PlatformRole.SUPER_ADMIN:
        refusal = await office_hindrance(tx, user)
    if refusal is not None:
        return _refuse(tx, "role.changed", user, by, refusal)
    await assume_role(tx, user, role, by)
    return user


async def assume_role(tx: Tx, user: User, role: PlatformRole, by: Actor) -> None:
    """Let a person, whose row `tx` has locked, have a role that they may have; nothing when they have it already."""
    previous, told = user.platform_role, user.change_role(role, tx.now)
    if not told:
        return
    tx.publish(user, *told)
    tell_of_account(tx, "role.changed", user, by, f"{previous} to {role}")
    # Their tokens say what they were allowed.
    await end_sessions_of(tx, user, SessionEnd.REVOKED, by)
    write_to(tx, user, MailTemplate.ROLE_CHANGED)


async def office_hindrance(tx: Tx, user: User) -> Rejected | None:
    """Why a person has to stay a super admin who can act; the office is locked if they are one."""
    if user.platform_role != PlatformRole.SUPER_ADMIN:
        return None
    return hindrance_by_office(user, await staff.super_admins(tx), tx.now)


async def _hindrance_of_erasure(tx: Tx, user: User) -> Rejected | None:
    if await erasures.is_going(tx, user.id):
        return Conflict("this person is being erased, or was", slug="being-erased")
    return None


async def hindrance_to_leave(tx: Tx, user: User) -> Rejected | None:
    """Why a person, whose row `tx` has locked, can't go: the installation would have no super admin."""
    if user.platform_role == PlatformRole.SUPER_ADMIN:
        await staff.lock_office(tx)
    return await office_hindrance(tx, user)


async def _whoever_acts(tx: Tx, user: User, by: Actor) -> User | None:
    """The colleague as they are after all locks, which a change of their own role may have held."""
    if user.platform_role == PlatformRole.SUPER_ADMIN:
        await staff.lock_office(tx)
    return None if by.id is None else await users.find(tx, by.id)


async def _refusal_to_close(tx: Tx, user: User, by: Actor) -> Rejected | None:
    return hindrance(await _whoever_acts(tx, user, by), user) or await office_hindrance(tx, user)


async def _close(tx: Tx, user_id: UUID, by: Actor, act: str, change: _Change) -> Outcome:
    user = await users.lock_user(tx, user_id)
    refusal = await _refusal_to_close(tx, user, by)
    if refusal is not None:
        return _refuse(tx, act, user, by, refusal)
    _do(tx, user, by, act, change)
    await end_sessions_of(tx, user, SessionEnd.ACCOUNT_CLOSED, by)
    return user


async def _open(tx: Tx, user_id: UUID, by: Actor, act: str, change: _Change) -> Outcome:
    user = await users.lock_user(tx, user_id)
    refusal = hindrance(await _whoever_acts(tx, user, by), user) or await _hindrance_of_erasure(tx, user)
    if refusal is not None:
        return _refuse(tx, act, user, by, refusal)
    _do(tx, user, by, act, change)
    return user


def _do(tx: Tx, user: User, by: Actor, act: str, change: _Change) -> None:
    told = change(user, tx.now)
    if told:
        tx.publish(user, *told)
        tell_of_account(tx, act, user, by)


def _refuse(tx: Tx, act: str, user: User, by: Actor, refusal: Rejected) -> Rejected:
    tell_of_account(tx, act, user, by, refusal.detail, ActResult.REFUSED)
    return refusal
