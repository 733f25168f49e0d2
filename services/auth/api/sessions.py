"""Who asked over HTTP? People who log in and out, and clients that go on with a session."""

from __future__ import annotations

from typing import Literal, Self
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

from libs.kit.acts import Origin
from libs.kit.db import Database
from libs.kit.errors import Unauthenticated
from libs.kit.http.app import Db, RequestCause
from libs.kit.http.origin import RequestOrigin
from libs.schema.event import Cause
from services.auth.api.fields import A_PERSON, Email, PresentedPassword, PresentedToken
from services.auth.api.parts import HowIssued, HowPasswords
from services.auth.commands import sessions
from services.auth.queries import people
from services.auth.tokens import RefreshToken

router = APIRouter()

_WRONG = "the e-mail address or the password is wrong"
_SPENT = "the refresh token is not valid, or no longer"


class LoginIn(BaseModel):
    """An address and its password."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [A_PERSON]})

    email: Email
    password: PresentedPassword


class RefreshIn(BaseModel):
    """The refresh token that came last."""

    model_config = ConfigDict(extra="forbid")

    refresh_token: PresentedToken


class SessionOut(BaseModel):
    """Tokens: one to call with, one to get the next ones."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 a scheme's name, not a secret
    expires_in: int
    """Seconds that the access token is valid for."""
    refresh_token: str
    """Works once; `POST /v1/auth/refresh` gives the next."""
    workspace_id: UUID

    @classmethod
    def of(cls, session: sessions.Session) -> Self:
        """The session as its client sees it."""
        return cls(
            access_token=session.access_token,
            expires_in=int(session.expires_in.total_seconds()),
            refresh_token=session.refresh_token,
            workspace_id=session.workspace_id,
        )


@router.post("/v1/auth/login")
async def login(
    body: LoginIn, db: Db, passwords: HowPasswords, issuing: HowIssued, cause: RequestCause, origin: RequestOrigin
) -> SessionOut:
    """Exchange an address and its password for tokens."""
    async with db.public(cause) as tx:
        known = await people.credentials(tx, body.email)
    matched = await passwords.match(body.password.get_secret_value(), known.password_hash if known else None)
    if known is None or not matched:
        await _tell_refusal(db, known, cause, origin)
        raise Unauthenticated(_WRONG)
    async with db.transaction(known.workspace_id, cause) as tx:
        return SessionOut.of(await sessions.open_session(tx, issuing, known.workspace_id, known.user_id, origin))


async def _tell_refusal(db: Database, known: people.Credentials | None, cause: Cause, origin: Origin) -> None:
    async with db.public(cause) if known is None else db.transaction(known.workspace_id, cause) as tx:
        sessions.refuse_login(tx, known, origin)


@router.post("/v1/auth/refresh")
async def refresh(
    body: RefreshIn, db: Db, issuing: HowIssued, cause: RequestCause, origin: RequestOrigin
) -> SessionOut:
    """Exchange a refresh token, once, for new tokens. A second use ends the session."""
    presented = RefreshToken.parse(body.refresh_token.get_secret_value())
    async with db.transaction(presented.workspace_id, cause) as tx:
        session = await sessions.continue_session(tx, issuing, presented, origin)
    if session is None:
        raise Unauthenticated(_SPENT)
    return SessionOut.of(session)


@router.post("/v1/auth/logout", status_code=204)
async def logout(body: RefreshIn, db: Db, cause: RequestCause, origin: RequestOrigin) -> Response:
    """End a session. The access token lives on until it expires."""
    presented = RefreshToken.parse(body.refresh_token.get_secret_value())
    async with db.transaction(presented.workspace_id, cause) as tx:
        await sessions.close_session(tx, presented, origin)
    return Response(status_code=204)
