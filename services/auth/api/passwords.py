"""Who asked over HTTP? People who change their password, or have forgotten it."""

from __future__ import annotations

from fastapi import Response
from pydantic import BaseModel, ConfigDict, JsonValue

from libs.kit.errors import Conflict, Invalid, Unauthenticated
from libs.kit.http.app import Db, RequestCause
from libs.kit.http.origin import RequestOrigin
from libs.kit.http.rate_limits import per_address
from libs.kit.http.routes import Router
from services.auth.api.fields import A_PERSON, Email, NewPassword, PresentedPassword, PresentedToken
from services.auth.api.parts import AllParts, Somebody, a_try, mailed, refuse_weak, spent
from services.auth.commands import logins, passwords
from services.auth.commands.passwords import NewPassword as ChangedPassword
from services.auth.model.mailed_token import Purpose
from services.auth.queries import people

router = Router()

_CHANGED: dict[str, JsonValue] = {
    "current_password": "correct horse battery staple",
    "new_password": "an even longer staple for batteries",
}


class PasswordIn(BaseModel):
    """The password that a person has, and the one that they want."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_CHANGED]})

    current_password: PresentedPassword
    new_password: NewPassword


class ResetRequestIn(BaseModel):
    """Whose password was forgotten."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"email": A_PERSON["email"]}]})

    email: Email


class ResetIn(BaseModel):
    """The token that came by mail, and the password that is wanted."""

    model_config = ConfigDict(extra="forbid")

    token: PresentedToken
    new_password: NewPassword


@router.put("/v1/me/password", status_code=204, dependencies=[per_address("login")])
async def change_password(
    body: PasswordIn, somebody: Somebody, db: Db, parts: AllParts, origin: RequestOrigin, cause: RequestCause
) -> Response:
    """Have another password. All other sessions end."""
    async with db.public(cause) as tx:
        user = await people.person(tx, somebody.user_id)
        if user is None:
            raise Unauthenticated("the person is not known, or no longer")
        claimed = await logins.claim_try(tx, parts.lockout, user.email, origin)
    async with a_try(db, claimed, cause):
        matched = await parts.passwords.match(body.current_password.get_secret_value(), user.password_hash)
    if not matched:
        async with db.transaction(somebody.home_id, cause) as tx:
            passwords.refuse_change(tx, user, origin)
        raise Invalid("/current_password", "is not the current password", slug="wrong-password")
    async with db.public(cause) as tx:
        await logins.excuse(tx, claimed)
    wanted = body.new_password.get_secret_value()
    await refuse_weak(
        parts.passwords, "/new_password", wanted, user.email, user.first_name, user.last_name, user.username
    )
    new_hash = await parts.passwords.hash(wanted)
    async with db.transaction(somebody.home_id, cause) as tx:
        replaced = ChangedPassword(somebody.user_id, user.password_hash, new_hash)
        changed = await passwords.change_password(tx, replaced, origin, somebody.caller.session_id)
    if not changed:
        raise Conflict("the password was changed by another request meanwhile", slug="password-changed")
    return Response(status_code=204)


@router.post(
    "/v1/auth/password-reset", status_code=202, response_class=Response, dependencies=[per_address("register")]
)
async def ask_for_reset(body: ResetRequestIn, db: Db, cause: RequestCause) -> Response:
    """Send a mail with a token to the address, if anybody has it. The answer is the same if nobody does."""
    async with db.public(cause) as tx:
        passwords.ask_for_reset(tx, body.email)
    return Response(status_code=202)


@router.put("/v1/auth/password-reset", status_code=204)
async def reset_password(
    body: ResetIn, db: Db, parts: AllParts, origin: RequestOrigin, cause: RequestCause
) -> Response:
    """Choose another password with the token that came by mail. All sessions end, and a lock does too."""
    presented = mailed(body.token.get_secret_value())
    async with db.transaction(presented.home_id) as tx:
        owner = await people.mailed_owner(tx, presented, Purpose.RESET_PASSWORD)
    if owner is None:
        raise spent()
    wanted = body.new_password.get_secret_value()
    await refuse_weak(
        parts.passwords, "/new_password", wanted, owner.email, owner.first_name, owner.last_name, owner.username
    )
    new_hash = await parts.passwords.hash(wanted)
    async with db.transaction(presented.home_id, cause) as tx:
        done = await passwords.reset_password(tx, presented, new_hash, origin)
    if not done:
        raise spent()
    return Response(status_code=204)
