"""What do routes work with? The parts that `app.py` has put into the app, and who and from where, for `Depends`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from libs.kit.crypto.encryption import Encryption
from libs.kit.db import Database, Tx
from libs.kit.errors import Forbidden, Invalid, Overloaded, Unauthenticated
from libs.kit.http.app import Db
from libs.kit.outages import Away
from libs.kit.security import Caller, authenticated, fresh
from libs.schema.event import Cause
from services.auth.commands import logins, sessions
from services.auth.commands.logins import Claimed, Lockout
from services.auth.commands.mails import Mailing
from services.auth.commands.privacy_terms import Terms
from services.auth.commands.second_step import Entrance
from services.auth.commands.sessions import NoLongerAMember
from services.auth.commands.workspaces import Hosting
from services.auth.device_codes import Authorizing
from services.auth.model import User
from services.auth.passwords import Passwords
from services.auth.program_keys import KeyRules
from services.auth.queries import people
from services.auth.tokens import Issuing, Ticket


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes of this context share."""

    passwords: Passwords
    issuing: Issuing
    mailing: Mailing
    lockout: Lockout
    authorizing: Authorizing
    encryption: Encryption
    kyc_holds_for: timedelta
    hosting: Hosting
    entrance: Entrance
    display_name: str
    key_rules: KeyRules
    longest_support: timedelta
    terms: Terms


@dataclass(frozen=True, slots=True)
class Person:
    """A caller who is somebody, and their home, which all that belongs to them is kept in."""

    user_id: UUID
    home_id: UUID
    caller: Caller


async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


async def _in_person(caller: Annotated[Caller, Depends(authenticated)]) -> Caller:
    """Raises Forbidden for programs and guests."""
    if caller.client_id is not None:
        raise Forbidden("an API key can't do what is personal", slug="person-required")
    if caller.on_behalf_of is not None:
        raise Forbidden("a guest can't do what is personal", slug="person-required")
    return caller


async def known(tx: Tx, caller: Caller) -> User:
    """The caller's account. Raises Unauthenticated when the person is gone, whatever their token says."""
    user = await people.person(tx, caller.user_id)
    if user is None:
        raise Unauthenticated("the person is not known, or no longer")
    return user


async def _person(caller: Annotated[Caller, Depends(_in_person)], db: Db) -> Person:
    async with db.public() as tx:
        user = await known(tx, caller)
        return Person(user.id, user.default_workspace_id, caller)


async def _fresh_person(
    person: Annotated[Person, Depends(_person)], _caller: Annotated[Caller, Depends(fresh)]
) -> Person:
    return person


AllParts = Annotated[Parts, Depends(_parts)]
InPerson = Annotated[Caller, Depends(_in_person)]
Somebody = Annotated[Person, Depends(_person)]
FreshSomebody = Annotated[Person, Depends(_fresh_person)]
"""Somebody who has just shown who they are: for what decides how they will the next time (ASVS 5.0, 7.5.1)."""


@dataclass(frozen=True, slots=True)
class FreshDatabase:
    """The context's database, for what takes a fresh session: nothing is committed in one that is over.

    Its tokens are taken until the event that revokes them has arrived, which may be long after. So the session itself is
    looked at, in each transaction, after all else.
    """

    database: Database
    caller: Caller

    @asynccontextmanager
    async def transaction(self, tenant_id: UUID, cause: Cause | None = None) -> AsyncIterator[Tx]:
        """A transaction of one workspace. Raises Unauthenticated at its end when the caller's session is over."""
        async with self.database.transaction(tenant_id, cause) as tx:
            yield tx
            await sessions.refuse_ended(tx, self.caller.user_id, self.caller.session_id)

    @asynccontextmanager
    async def public(self, cause: Cause | None = None) -> AsyncIterator[Tx]:
        """A transaction of no workspace. Raises Unauthenticated in the same way."""
        async with self.database.public(cause) as tx:
            yield tx
            await sessions.refuse_ended(tx, self.caller.user_id, self.caller.session_id)


async def _fresh_database(caller: Annotated[Caller, Depends(fresh)], db: Db) -> FreshDatabase:
    return FreshDatabase(db, caller)


FreshDb = Annotated[FreshDatabase, Depends(_fresh_database)]
"""What every route that takes a fresh session works with, and no other way to the database."""


@asynccontextmanager
async def a_try(db: Database, claimed: Claimed, cause: Cause) -> AsyncIterator[None]:
    """Make a try that was counted; one that can't be made now is given back, to all that counted it: nobody waits for it.

    Raises Overloaded, Away, and NoLongerAMember.
    """
    try:
        yield
    except (Overloaded, Away, NoLongerAMember):
        async with db.public(cause) as tx:
            await logins.excuse(tx, claimed)
        raise


def mailed(token: str) -> Ticket:
    """The ticket of a mail. Raises Invalid when it can't be one of ours."""
    try:
        return Ticket.parse(token)
    except Unauthenticated:
        raise spent() from None


def spent() -> Invalid:
    """What is said of a mailed token that does not work, whyever."""
    return Invalid("/token", "is not valid, or no longer: ask for another mail", slug="token-spent")


async def refuse_weak(passwords: Passwords, pointer: str, password: str, *about: str | None) -> None:
    """Raise Invalid when a new password can be guessed, by somebody who knows this about its owner."""
    weak = await passwords.weakness(password, [word for word in about if word])
    if weak is not None:
        raise Invalid(pointer, " ".join([weak.warning, *weak.suggestions]), slug="weak-password")
