"""Who asked over HTTP? Staff who look somebody up, lock, close and open accounts, and give roles.

They see addresses, which they write to and search by, in the open, and of a phone number the last four digits, which
somebody on the phone is asked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Annotated, Self
from uuid import UUID

from fastapi import Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator

from libs.kit.acts import Actor, Origin
from libs.kit.db import Database, Tx
from libs.kit.errors import Rejected
from libs.kit.http.app import Db, RequestCause
from libs.kit.http.origin import RequestOrigin
from libs.kit.http.pagination import Page, PageRequest, page, page_request
from libs.kit.http.routes import Router
from libs.kit.security import Caller, requires, requires_fresh
from libs.schema.audit import ActorKind
from libs.schema.auth import LockReason
from libs.schema.event import Cause
from libs.schema.values import UtcDatetime
from services.auth.api.parts import FreshDatabase, FreshDb
from services.auth.commands import accounts
from services.auth.model import AccountState, PlatformRole, User
from services.auth.queries import accounts as read

router = Router()

Reader = Annotated[Caller, Depends(requires("users:read"))]
Locker = Annotated[Caller, Depends(requires("users:lock"))]
Closer = Annotated[Caller, Depends(requires("users:write"))]
Rescuer = Annotated[Caller, Depends(requires_fresh("users:write"))]
Granter = Annotated[Caller, Depends(requires_fresh("roles:write"))]

_MAX_LOCK_HOURS = 8_760
_SHOWN_DIGITS = 4
Searched = Annotated[str, StringConstraints(min_length=1, max_length=254, pattern=r"^[^\x00]*$")]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]*$")]


class LockIn(BaseModel):
    """How long nobody may log in: up to a moment, or for some hours; and why, for the trail that the person can read."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"hours": 24, "reason": "reported as stolen, ticket 4711"}]}
    )

    reason: Reason
    until: UtcDatetime | None = None
    hours: Annotated[int | None, Field(strict=True, ge=1, le=_MAX_LOCK_HOURS, validate_default=True)] = None

    @field_validator("hours")
    @classmethod
    def _one_of_both(cls, hours: int | None, info: ValidationInfo) -> int | None:
        if "until" in info.data and (hours is None) is (info.data["until"] is None):
            raise ValueError("send either `until` or `hours`")
        return hours

    def end(self, now: datetime) -> datetime:
        """When the lock is over."""
        return self.until or now + timedelta(hours=self.hours or 0)


class RoleIn(BaseModel):
    """What somebody is to be to the whole installation."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"role": "SUPPORT"}]})

    role: PlatformRole


class UserOut(BaseModel):
    """Somebody's account, as staff see it."""

    user_id: UUID
    workspace_id: UUID
    """Their personal workspace."""
    email: str
    email_verified: bool
    username: str | None
    first_name: str | None
    last_name: str | None
    phone_number: str | None
    """As `********0123`."""
    platform_role: PlatformRole
    state: AccountState
    locked_until: UtcDatetime | None
    """The end of a lock, also of one that is over."""
    lock_reason: LockReason | None
    last_login_at: UtcDatetime | None
    created_at: UtcDatetime

    @classmethod
    def of(cls, user: User, at: datetime) -> Self:
        """The account at a moment."""
        return cls(
            user_id=user.id,
            workspace_id=user.default_workspace_id,
            email=user.email,
            email_verified=user.email_verified,
            username=user.username,
            first_name=user.first_name,
            last_name=user.last_name,
            phone_number=None if user.phone_number is None else _masked(user.phone_number),
            platform_role=PlatformRole(user.platform_role),
            state=user.state_at(at),
            locked_until=user.locked_until,
            lock_reason=None if user.lock_reason is None else LockReason(user.lock_reason),
            last_login_at=user.last_login_at,
            created_at=user.created_at,
        )


def _masked(phone_number: str) -> str:
    return phone_number[-_SHOWN_DIGITS:].rjust(len(phone_number), "*")


async def account_filter(
    q: Annotated[
        Searched | None, Query(description="the beginning of an e-mail address or user name, or a whole user id")
    ] = None,
    role: Annotated[PlatformRole | None, Query(description="whoever has this role")] = None,
    state: Annotated[AccountState | None, Query(description="whoever is in this state")] = None,
) -> read.AccountFilter:
    """Which accounts the query parameters ask for; for `Depends`."""
    return read.AccountFilter(q, role, state)


@router.get("/v1/users")
async def search_users(
    _reader: Reader,
    db: Db,
    wanted: Annotated[PageRequest, Depends(page_request)],
    which: Annotated[read.AccountFilter, Depends(account_filter)],
) -> Page[UserOut]:
    """Accounts, the newest first."""
    async with db.public() as tx:
        found = await read.accounts(tx, which, wanted)
        return page(found, wanted, lambda user: UserOut.of(user, tx.now), read.place)


@router.get("/v1/users/{user_id}")
async def read_user(user_id: UUID, _reader: Reader, db: Db) -> UserOut:
    """One account, in whatever state."""
    async with db.public() as tx:
        return UserOut.of(await read.account(tx, user_id), tx.now)


@router.post("/v1/users/{user_id}/lock")
async def lock_user(
    user_id: UUID, body: LockIn, caller: Locker, db: Db, origin: RequestOrigin, cause: RequestCause
) -> UserOut:
    """Let nobody log in as somebody for a while, and end their sessions. Neither a mail nor another password opens it."""
    async with _at_home(db, user_id, cause) as tx:
        outcome = await accounts.lock(tx, user_id, body.end(tx.now), body.reason, _staff(caller, origin))
    return _shown(outcome, tx.now)


@router.post("/v1/users/{user_id}/unlock")
async def unlock_user(user_id: UUID, caller: Locker, db: Db, origin: RequestOrigin, cause: RequestCause) -> UserOut:
    """End a lock, whether guesses or support caused it."""
    async with _at_home(db, user_id, cause) as tx:
        outcome = await accounts.unlock(tx, user_id, _staff(caller, origin))
    return _shown(outcome, tx.now)


@router.post("/v1/users/{user_id}/deactivate")
async def deactivate_user(user_id: UUID, caller: Closer, db: Db, origin: RequestOrigin, cause: RequestCause) -> UserOut:
    """Shut somebody out until they are reactivated, and end their sessions."""
    async with _at_home(db, user_id, cause) as tx:
        outcome = await accounts.deactivate(tx, user_id, _staff(caller, origin))
    return _shown(outcome, tx.now)


@router.post("/v1/users/{user_id}/reactivate")
async def reactivate_user(user_id: UUID, caller: Closer, db: Db, origin: RequestOrigin, cause: RequestCause) -> UserOut:
    """Let somebody in again who was deactivated."""
    async with _at_home(db, user_id, cause) as tx:
        outcome = await accounts.reactivate(tx, user_id, _staff(caller, origin))
    return _shown(outcome, tx.now)


@router.delete("/v1/users/{user_id}", status_code=204)
async def delete_user(user_id: UUID, caller: Closer, db: Db, origin: RequestOrigin, cause: RequestCause) -> Response:
    """Take somebody out of sight, and end their sessions. Nothing of theirs is lost, and their address stays taken."""
    async with _at_home(db, user_id, cause) as tx:
        outcome = await accounts.delete(tx, user_id, _staff(caller, origin))
    _shown(outcome, tx.now)
    return Response(status_code=204)


@router.post("/v1/users/{user_id}/restore")
async def restore_user(user_id: UUID, caller: Closer, db: Db, origin: RequestOrigin, cause: RequestCause) -> UserOut:
    """Bring somebody back who was deleted."""
    async with _at_home(db, user_id, cause) as tx:
        outcome = await accounts.restore(tx, user_id, _staff(caller, origin))
    return _shown(outcome, tx.now)


@router.put("/v1/users/{user_id}/role")
async def change_platform_role(
    user_id: UUID, body: RoleIn, caller: Granter, db: FreshDb, origin: RequestOrigin, cause: RequestCause
) -> UserOut:
    """Give somebody a role in the place of theirs, both of which have to be the caller's to give. Their sessions end."""
    async with _at_home(db, user_id, cause) as tx:
        outcome = await accounts.change_role(tx, user_id, body.role, _staff(caller, origin))
    return _shown(outcome, tx.now)


@router.delete("/v1/users/{user_id}/second-factors")
async def remove_second_factors(
    user_id: UUID, caller: Rescuer, db: FreshDb, origin: RequestOrigin, cause: RequestCause
) -> UserOut:
    """Let somebody log in by password alone who lost all that they log in with besides. Their sessions end."""
    async with _at_home(db, user_id, cause) as tx:
        outcome = await accounts.remove_second_factors(tx, user_id, _staff(caller, origin))
    return _shown(outcome, tx.now)


@asynccontextmanager
async def _at_home(db: Database | FreshDatabase, user_id: UUID, cause: Cause) -> AsyncIterator[Tx]:
    """A transaction of somebody's home, whether or not they may act. Raises NotFound."""
    async with db.public() as tx:
        home_id = (await read.account(tx, user_id)).default_workspace_id
    async with db.transaction(home_id, cause) as tx:
        yield tx


def _staff(caller: Caller, origin: Origin) -> Actor:
    return Actor(ActorKind.STAFF, caller.user_id, origin=origin)


def _shown(outcome: accounts.Outcome, at: datetime) -> UserOut:
    """The account, once the transaction that told a refusal is committed. Raises that refusal."""
    if isinstance(outcome, Rejected):
        raise outcome
    return UserOut.of(outcome, at)
