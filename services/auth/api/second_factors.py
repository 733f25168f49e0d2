"""Who asked over HTTP? People who set up an application that shows codes, or want recovery codes."""

from __future__ import annotations

import base64
from typing import Self

from fastapi import Response
from pydantic import BaseModel, ConfigDict

from libs.kit.http.app import Db, RequestCause
from libs.kit.http.origin import RequestOrigin
from libs.kit.http.routes import Router
from services.auth.api.fields import TypedCode
from services.auth.api.parts import AllParts, FreshDb, FreshSomebody, Somebody
from services.auth.commands import second_factors
from services.auth.queries import second_factors as read
from services.auth.queries.second_factors import SetUp
from services.auth.repository.users import lock_user
from services.auth.totp import provisioning_uri

router = Router()


class SecondFactorOut(BaseModel):
    """What the caller can show beside their password."""

    totp: bool
    """Whether they have an application that shows codes."""
    passkeys: int
    recovery_codes_left: int
    required: bool
    """Whether they may not be without a second factor: as staff, or as a member of a workspace that demands it."""

    @classmethod
    def of(cls, found: SetUp) -> Self:
        """What there is, without anything secret."""
        return cls(
            totp=found.has_totp,
            passkeys=len(found.passkeys),
            recovery_codes_left=found.recovery_codes_left,
            required=found.is_demanded,
        )


class TotpOut(BaseModel):
    """What an authenticator application has to know. It is shown once."""

    secret: str
    """In base 32, to be typed in."""
    otpauth_uri: str
    """The same, to be shown as a QR code."""


class CodeIn(BaseModel):
    """A code of the application that was offered."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"code": "123456"}]})

    code: TypedCode


class RecoveryCodesOut(BaseModel):
    """Codes to be written down, each good once in place of a second factor. They are shown once."""

    recovery_codes: list[str]
    """Empty when those that were shown before still work."""


@router.get("/v1/me/second-factor")
async def show(somebody: Somebody, db: Db) -> SecondFactorOut:
    """What the caller has set up."""
    async with db.transaction(somebody.home_id) as tx:
        return SecondFactorOut.of(await read.set_up(tx, await lock_user(tx, somebody.user_id)))


@router.post("/v1/me/totp", status_code=201)
async def offer_totp(somebody: FreshSomebody, db: FreshDb, parts: AllParts, cause: RequestCause) -> TotpOut:
    """A secret for an authenticator application. It counts once a code of it is sent to `POST /v1/me/totp/confirm`."""
    async with db.transaction(somebody.home_id, cause) as tx:
        user = await lock_user(tx, somebody.user_id)
        secret = await second_factors.offer_totp(tx, parts.encryption, user)
        uri = provisioning_uri(secret, parts.display_name, user.email)
    return TotpOut(secret=base64.b32encode(secret).decode().rstrip("="), otpauth_uri=uri)


@router.post("/v1/me/totp/confirm")
async def confirm_totp(
    body: CodeIn, somebody: FreshSomebody, db: FreshDb, parts: AllParts, origin: RequestOrigin, cause: RequestCause
) -> RecoveryCodesOut:
    """Log in with codes of the application from now on. Takes the place of the one before."""
    async with db.transaction(somebody.home_id, cause) as tx:
        user = await lock_user(tx, somebody.user_id)
        code = body.code.get_secret_value()
        codes = await second_factors.confirm_totp(tx, parts.encryption, user, code, origin)
    return RecoveryCodesOut(recovery_codes=[str(code) for code in codes])


@router.delete("/v1/me/totp", status_code=204)
async def remove_totp(somebody: FreshSomebody, db: FreshDb, origin: RequestOrigin, cause: RequestCause) -> Response:
    """Log in without the application from now on; 409 when it is the last factor of somebody who has to have one."""
    async with db.transaction(somebody.home_id, cause) as tx:
        user = await lock_user(tx, somebody.user_id)
        await second_factors.remove_totp(tx, user, origin)
    return Response(status_code=204)


@router.post("/v1/me/recovery-codes", status_code=201)
async def renew_recovery_codes(
    somebody: FreshSomebody, db: FreshDb, origin: RequestOrigin, cause: RequestCause
) -> RecoveryCodesOut:
    """New recovery codes; the old ones work no more."""
    async with db.transaction(somebody.home_id, cause) as tx:
        user = await lock_user(tx, somebody.user_id)
        codes = await second_factors.renew_recovery_codes(tx, user, origin)
    return RecoveryCodesOut(recovery_codes=[str(code) for code in codes])
