"""Who asked over HTTP? People who register, and prove that mail to their address reaches them."""

from __future__ import annotations

from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, ConfigDict

from libs.kit.db import Database
from libs.kit.errors import Invalid
from libs.kit.http.app import Db, RequestCause
from libs.kit.http.origin import RequestOrigin
from libs.kit.http.rate_limits import per_address, per_user
from libs.kit.http.routes import Router
from libs.kit.ids import uuid7
from services.auth.api.fields import (
    A_PERSON,
    Email,
    Name,
    NewPassword,
    PresentedPassword,
    PresentedToken,
    TypedReferralCode,
)
from services.auth.api.parts import AllParts, Somebody, mailed, refuse_weak, spent
from services.auth.commands import people, registration
from services.auth.model.mailed_token import Purpose
from services.auth.passwords import Passwords
from services.auth.queries import people as read
from services.auth.repository.users import Credentials, NewUser
from services.auth.tokens import Ticket

router = Router()


class RegisterIn(BaseModel):
    """A person and, if they like, names."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [A_PERSON | {"first_name": "Ada"}]})

    email: Email
    password: NewPassword
    first_name: Name | None = None
    last_name: Name | None = None
    workspace_name: Name | None = None
    referral_code: TypedReferralCode | None = None
    """Of whoever brought them."""


class RegisteredOut(BaseModel):
    """Who registered, and their workspace."""

    user_id: UUID
    workspace_id: UUID


class MailedTokenIn(BaseModel):
    """The token that came by mail."""

    model_config = ConfigDict(extra="forbid")

    token: PresentedToken


class ProofIn(MailedTokenIn):
    """The token that came by mail, and the password that its person registered with."""

    password: PresentedPassword | None = None
    """Whoever leaves it out has not chosen it: it works no more, and a mail lets them choose another."""


@router.post("/v1/auth/register", status_code=201, dependencies=[per_address("register")])
async def register(
    body: RegisterIn, db: Db, parts: AllParts, origin: RequestOrigin, cause: RequestCause
) -> RegisteredOut:
    """Make a user and a personal workspace, and send a mail that proves the address."""
    password = body.password.get_secret_value()
    await refuse_weak(parts.passwords, "/password", password, body.email, body.first_name, body.last_name)
    # No connection is held while a thread hashes.
    password_hash = await parts.passwords.hash(password)
    new = NewUser(body.email, password_hash, body.first_name, body.last_name, body.referral_code)
    workspace_id = uuid7()
    async with db.transaction(workspace_id, cause) as tx:
        workspace = await registration.register(tx, parts.mailing, new, workspace_id, body.workspace_name, origin)
        return RegisteredOut(user_id=workspace.owner_id, workspace_id=workspace.id)


@router.post("/v1/me/email-verification", status_code=202, response_class=Response, dependencies=[per_user("mail")])
async def ask_for_verification(somebody: Somebody, db: Db, parts: AllParts, cause: RequestCause) -> Response:
    """Send the mail that proves the address once more; of all that were sent the first that is used counts."""
    async with db.transaction(somebody.home_id, cause) as tx:
        await people.ask_for_verification(tx, parts.mailing, somebody.user_id)
    return Response(status_code=202)


@router.post("/v1/auth/email-verification", status_code=204, dependencies=[per_address("login")])
async def verify_email(body: ProofIn, db: Db, parts: AllParts, origin: RequestOrigin, cause: RequestCause) -> Response:
    """Prove an address with the token that was sent to it. The first proof ends all sessions: log in anew."""
    presented = mailed(body.token.get_secret_value())
    shown = None
    if body.password is not None:
        shown = await _shown(db, parts.passwords, presented, body.password.get_secret_value())
    async with db.transaction(presented.home_id, cause) as tx:
        verified = await people.verify_email(tx, parts.mailing, presented, shown, origin)
    if not verified:
        raise spent()
    return Response(status_code=204)


async def _shown(db: Database, passwords: Passwords, presented: Ticket, password: str) -> Credentials:
    """What a password is right for that comes with a mailed token. Raises Invalid for a spent token and a wrong password."""
    async with db.transaction(presented.home_id) as tx:
        owner = await read.mailed_owner(tx, presented, Purpose.VERIFY_EMAIL)
    if owner is None:
        raise spent()
    if not await passwords.match(password, owner.password_hash):
        detail = "is not the account's: if you did not choose it, leave it out, and a mail lets you choose one"
        raise Invalid("/password", detail, slug="wrong-password")
    return Credentials(owner.id, owner.default_workspace_id, owner.password_hash, owner.password_changed_at)


@router.post("/v1/auth/unlock", status_code=204)
async def unlock(body: MailedTokenIn, db: Db, origin: RequestOrigin, cause: RequestCause) -> Response:
    """End a lock that failed logins caused, with the token of the mail that told of it."""
    presented = mailed(body.token.get_secret_value())
    async with db.transaction(presented.home_id, cause) as tx:
        unlocked = await people.unlock_by_mail(tx, presented, origin)
    if not unlocked:
        raise spent()
    return Response(status_code=204)
