"""What do routes work with? The parts that `app.py` has put into the app, and the person who asks, for `Depends`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from libs.kit.crypto.encryption import Encryption
from libs.kit.errors import NotFound, Unauthenticated
from libs.kit.http.app import Db
from libs.kit.security import Caller, authenticated
from services.auth.passwords import Passwords
from services.auth.queries import people
from services.auth.tokens import Issuing


@dataclass(frozen=True, slots=True)
class Person:
    """A caller who is somebody, and their home, which all that belongs to them is kept in."""

    user_id: UUID
    home_id: UUID
    caller: Caller


async def _person(caller: Annotated[Caller, Depends(authenticated)], db: Db) -> Person:
    """Raises Unauthenticated when the person is gone, whatever their token says."""
    async with db.public() as tx:
        try:
            home_id = await people.home_of(tx, caller.user_id)
        except NotFound:
            raise Unauthenticated("the access token is not valid, or no longer") from None
    return Person(caller.user_id, home_id, caller)


async def _passwords(request: Request) -> Passwords:
    passwords: Passwords = request.app.state.passwords
    return passwords


async def _issuing(request: Request) -> Issuing:
    issuing: Issuing = request.app.state.issuing
    return issuing


async def _encryption(request: Request) -> Encryption:
    encryption: Encryption = request.app.state.encryption
    return encryption


async def _kyc_holds_for(request: Request) -> timedelta:
    holds_for: timedelta = request.app.state.kyc_holds_for
    return holds_for


HowPasswords = Annotated[Passwords, Depends(_passwords)]
HowIssued = Annotated[Issuing, Depends(_issuing)]
HowSealed = Annotated[Encryption, Depends(_encryption)]
HowLongVerified = Annotated[timedelta, Depends(_kyc_holds_for)]
Somebody = Annotated[Person, Depends(_person)]
