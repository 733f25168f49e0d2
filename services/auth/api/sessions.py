"""Who asked over HTTP? People who log in and out, clients that go on with a session, and owners who look at theirs."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import Depends, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from libs.kit.errors import Unauthenticated
from libs.kit.http.app import Db, RequestCause
from libs.kit.http.limiter import HowLimited
from libs.kit.http.origin import RequestOrigin
from libs.kit.http.pagination import Page, PageRequest, Position, page, page_request
from libs.kit.http.rate_limits import per_address
from libs.kit.http.routes import Router
from libs.schema.values import UtcDatetime
from services.auth.api.fields import A_PERSON, Email, PresentedPassword, PresentedToken
from services.auth.api.parts import AllParts, Somebody, a_try
from services.auth.commands import logins, sessions
from services.auth.commands.logins import Challenged, Checked
from services.auth.model import Factor, Login, Session, email_key
from services.auth.model.challenge import LIFETIME
from services.auth.model.login import NOBODY, LoginResult
from services.auth.queries import people
from services.auth.queries import sessions as read
from services.auth.tokens import SPENT, Ticket

router = Router()

_WRONG = "the e-mail address or the password is wrong"


class LoginIn(BaseModel):
    """An address and its password."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [A_PERSON]})

    email: Email
    password: PresentedPassword


class RefreshIn(BaseModel):
    """The refresh token that came last."""

    model_config = ConfigDict(extra="forbid")

    refresh_token: PresentedToken


class SwitchIn(RefreshIn):
    """The refresh token that came last, and the workspace that the next tokens are to be for."""

    workspace_id: UUID


class TokensOut(BaseModel):
    """Tokens: one to call with, one to get the next ones."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 a scheme's name, not a secret
    expires_in: int
    """Seconds that the access token is valid for."""
    refresh_token: str
    """Works once; `POST /v1/auth/refresh` gives the next. Two tabs of one client get the same one."""
    workspace_id: UUID
    session_id: UUID

    @classmethod
    def of(cls, tokens: sessions.Tokens) -> Self:
        """The tokens as their client sees them."""
        return cls(
            access_token=tokens.access_token,
            expires_in=int(tokens.expires_in.total_seconds()),
            refresh_token=tokens.refresh_token,
            workspace_id=tokens.workspace_id,
            session_id=tokens.session_id,
        )


class SessionOut(BaseModel):
    """One login that goes on."""

    id: UUID
    workspace_id: UUID
    device: str | None
    """What the client calls itself."""
    address: str | None
    """From where it was last heard of."""
    opened_at: UtcDatetime
    last_seen_at: UtcDatetime
    expires_at: UtcDatetime
    current: bool
    """Whether it is the one that asks."""

    @classmethod
    def of(cls, session: Session, current: UUID | None) -> Self:
        """The session as its owner sees it."""
        return cls(
            id=session.id,
            workspace_id=session.workspace_id,
            device=session.device,
            address=session.address,
            opened_at=session.created_at,
            last_seen_at=session.last_seen_at,
            expires_at=session.expires_at,
            current=session.id == current,
        )


class SessionsOut(BaseModel):
    """All of a person's sessions that go on, the newest first."""

    items: list[SessionOut]


class LoginOut(BaseModel):
    """One try to log in as the caller."""

    id: UUID
    at: UtcDatetime
    result: LoginResult
    device: str | None
    address: str | None

    @classmethod
    def of(cls, login: Login) -> Self:
        """The try as the person sees it."""
        return cls(
            id=login.id,
            at=login.at,
            result=LoginResult(login.result),
            device=login.device,
            address=login.address,
        )


class ChallengeOut(BaseModel):
    """A login that needs a second factor."""

    challenge: str
    """To be sent with it, to `POST /v1/auth/second-factor` or `POST /v1/auth/passkeys`."""
    methods: list[Factor]
    """What the person can show."""
    expires_in: int
    """Seconds that they have to."""

    @classmethod
    def of(cls, challenged: Challenged) -> Self:
        """The challenge as its client sees it."""
        seconds = int(LIFETIME.total_seconds())
        return cls(challenge=str(challenged.posed.ticket), methods=list(challenged.factors), expires_in=seconds)


@router.post(
    "/v1/auth/login",
    response_model=TokensOut,
    responses={202: {"model": ChallengeOut, "description": "The password is right; a second factor is needed"}},
    dependencies=[per_address("login")],
)
async def login(
    body: LoginIn, db: Db, parts: AllParts, limited: HowLimited, origin: RequestOrigin, cause: RequestCause
) -> TokensOut | Response:
    """Exchange an address and its password for tokens; for a challenge, if the person has a second factor."""
    await limited.take("login-account", email_key(body.email))
    async with db.public(cause) as tx:
        claimed = await logins.claim_try(tx, parts.lockout, body.email, origin)
        known = await people.credentials(tx, body.email)
    password = body.password.get_secret_value()
    # No connection is held while a thread hashes.
    async with a_try(db, claimed, cause):
        matched = await parts.passwords.match(password, known.password_hash if known else None)
        renewed = await parts.passwords.renewed(password, known.password_hash) if known and matched else None
        checked = Checked(body.email, origin, known, matched, renewed)
        async with db.transaction(NOBODY if known is None else known.home_id, cause) as tx:
            opened = await logins.settle_try(tx, parts.issuing, parts.lockout, parts.mailing, checked)
    if opened is None:
        raise Unauthenticated(_WRONG)
    await limited.give_back("login-account", email_key(body.email))
    if isinstance(opened, Challenged):
        return JSONResponse(ChallengeOut.of(opened).model_dump(mode="json"), 202)
    return TokensOut.of(opened)


@router.post("/v1/auth/refresh", dependencies=[per_address("refresh")])
async def refresh(body: RefreshIn, db: Db, parts: AllParts, origin: RequestOrigin, cause: RequestCause) -> TokensOut:
    """Exchange a refresh token, once, for new tokens. A second use ends the session.

    Within ten seconds the client that has used it may send it again, after a lost answer or from another tab, and gets the
    same refresh token again.

    403 `no-longer-a-member` uses nothing up: `POST /v1/auth/switch` leads elsewhere with the same token.
    """
    presented = Ticket.parse(body.refresh_token.get_secret_value())
    async with db.transaction(presented.home_id, cause) as tx:
        tokens = await sessions.continue_session(tx, parts.issuing, presented, origin)
    if tokens is None:
        raise Unauthenticated(SPENT)
    return TokensOut.of(tokens)


@router.post("/v1/auth/switch", dependencies=[per_address("refresh")])
async def switch(body: SwitchIn, db: Db, parts: AllParts, origin: RequestOrigin, cause: RequestCause) -> TokensOut:
    """Exchange a refresh token, once, for tokens for another workspace of yours. A second use ends the session."""
    presented = Ticket.parse(body.refresh_token.get_secret_value())
    async with db.transaction(presented.home_id, cause) as tx:
        tokens = await sessions.switch_session(tx, parts.issuing, presented, body.workspace_id, origin)
    if tokens is None:
        raise Unauthenticated(SPENT)
    return TokensOut.of(tokens)


@router.post("/v1/auth/logout", status_code=204)
async def logout(body: RefreshIn, db: Db, origin: RequestOrigin, cause: RequestCause) -> Response:
    """End a session, its access tokens included."""
    presented = Ticket.parse(body.refresh_token.get_secret_value())
    async with db.transaction(presented.home_id, cause) as tx:
        await sessions.close_session(tx, presented, origin)
    return Response(status_code=204)


@router.get("/v1/sessions")
async def list_sessions(somebody: Somebody, db: Db) -> SessionsOut:
    """The caller's sessions that go on, whatever workspace they are for."""
    async with db.transaction(somebody.home_id) as tx:
        found = await read.open_sessions(tx, somebody.user_id)
        return SessionsOut(items=[SessionOut.of(session, somebody.caller.session_id) for session in found])


@router.delete("/v1/sessions", status_code=204)
async def log_out_everywhere(somebody: Somebody, db: Db, origin: RequestOrigin, cause: RequestCause) -> Response:
    """End all of the caller's sessions, this one too."""
    async with db.transaction(somebody.home_id, cause) as tx:
        await sessions.end_every_session(tx, somebody.user_id, origin)
    return Response(status_code=204)


@router.delete("/v1/sessions/{session_id}", status_code=204)
async def revoke_session(
    session_id: UUID, somebody: Somebody, db: Db, origin: RequestOrigin, cause: RequestCause
) -> Response:
    """End one of the caller's sessions, its access tokens included."""
    async with db.transaction(somebody.home_id, cause) as tx:
        await sessions.revoke_session(tx, somebody.user_id, session_id, origin)
    return Response(status_code=204)


@router.get("/v1/me/logins")
async def list_logins(
    somebody: Somebody, db: Db, request: Annotated[PageRequest, Depends(page_request)]
) -> Page[LoginOut]:
    """Every try to log in as the caller, the newest first."""
    async with db.transaction(somebody.home_id) as tx:
        rows = await read.logins(tx, somebody.user_id, request)
    return page(rows, request, LoginOut.of, lambda login: Position(login.at, login.id))
