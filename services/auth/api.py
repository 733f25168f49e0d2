"""Who asked over HTTP? People who register, log in and out, and services that fetch the public keys."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from fastapi import APIRouter, Depends, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, Secret, StringConstraints

from libs.kit.errors import Unauthenticated
from libs.kit.http.app import Db, RequestCause
from libs.kit.ids import uuid7
from libs.kit.security import Caller, authenticated
from services.auth import commands, queries
from services.auth.model import PlatformRole, Role
from services.auth.passwords import Passwords
from services.auth.repository import NewUser
from services.auth.tokens import Issuing, RefreshToken

router = APIRouter()

MIN_PASSWORD = 12
MAX_PASSWORD = 128
_A_PERSON: dict[str, JsonValue] = {"email": "ada@example.com", "password": "correct horse battery staple"}
_WRONG = "the e-mail address or the password is wrong"
_SPENT = "the refresh token is not valid, or no longer"


def _address(value: str) -> str:
    try:
        return validate_email(value, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise ValueError(f"is not an e-mail address: {error}") from None


Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=254),
    AfterValidator(_address),
    Field(json_schema_extra={"format": "email"}),
]
# No control characters, and something beside spaces; those around it are taken away afterwards, so that what the document
# says of a name holds for what is sent.
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=150, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"),
    AfterValidator(lambda name: name.strip(" ")),
]
PresentedToken = Secret[Annotated[str, StringConstraints(max_length=200)]]
NewPassword = Secret[Annotated[str, StringConstraints(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD)]]
PresentedPassword = Secret[Annotated[str, StringConstraints(max_length=MAX_PASSWORD)]]


async def _passwords(request: Request) -> Passwords:
    passwords: Passwords = request.app.state.passwords
    return passwords


async def _issuing(request: Request) -> Issuing:
    issuing: Issuing = request.app.state.issuing
    return issuing


HowPasswords = Annotated[Passwords, Depends(_passwords)]
HowIssued = Annotated[Issuing, Depends(_issuing)]


class RegisterIn(BaseModel):
    """A person and, if they like, names."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_A_PERSON | {"first_name": "Ada"}]})

    email: Email
    password: NewPassword
    first_name: Name | None = None
    last_name: Name | None = None
    workspace_name: Name | None = None


class RegisteredOut(BaseModel):
    """Who registered, and their workspace."""

    user_id: UUID
    workspace_id: UUID


class LoginIn(BaseModel):
    """An address and its password."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_A_PERSON]})

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
    def of(cls, session: commands.Session) -> Self:
        """The session as its client sees it."""
        return cls(
            access_token=session.access_token,
            expires_in=int(session.expires_in.total_seconds()),
            refresh_token=session.refresh_token,
            workspace_id=session.workspace_id,
        )


class WorkspaceOut(BaseModel):
    """A workspace and what the caller is in it."""

    id: UUID
    name: str
    role: Role


class MeOut(BaseModel):
    """The caller."""

    user_id: UUID
    email: str
    first_name: str | None
    last_name: str | None
    email_verified: bool
    platform_role: PlatformRole
    workspace: WorkspaceOut
    scopes: list[str]
    """What this token allows."""

    @classmethod
    def of(cls, profile: queries.Profile, caller: Caller) -> Self:
        """The caller as they see themselves."""
        user = profile.user
        return cls(
            user_id=user.id,
            email=user.email,
            first_name=user.first_name,
            last_name=user.last_name,
            email_verified=user.email_verified,
            platform_role=PlatformRole(user.platform_role),
            workspace=WorkspaceOut(id=profile.workspace.id, name=profile.workspace.name, role=profile.role),
            scopes=sorted(caller.scopes),
        )


class JwksOut(BaseModel):
    """A JSON Web Key Set (RFC 7517)."""

    keys: list[dict[str, str]]


@router.post("/v1/auth/register", status_code=201)
async def register(body: RegisterIn, db: Db, passwords: HowPasswords, cause: RequestCause) -> RegisteredOut:
    """Make a user and a personal workspace."""
    # No connection is held while a thread hashes.
    password_hash = await passwords.hash(body.password.get_secret_value())
    new = NewUser(body.email, password_hash, body.first_name, body.last_name)
    workspace_id = uuid7()
    async with db.transaction(workspace_id, cause) as tx:
        workspace = await commands.register(tx, new, workspace_id, body.workspace_name)
        return RegisteredOut(user_id=workspace.owner_id, workspace_id=workspace.id)


@router.post("/v1/auth/login")
async def login(body: LoginIn, db: Db, passwords: HowPasswords, issuing: HowIssued, cause: RequestCause) -> SessionOut:
    """Exchange an address and its password for tokens."""
    async with db.public(cause) as tx:
        known = await queries.credentials(tx, body.email)
    matched = await passwords.match(body.password.get_secret_value(), known.password_hash if known else None)
    if known is None or not matched:
        raise Unauthenticated(_WRONG)
    async with db.transaction(known.workspace_id, cause) as tx:
        return SessionOut.of(await commands.open_session(tx, issuing, known.workspace_id, known.user_id))


@router.post("/v1/auth/refresh")
async def refresh(body: RefreshIn, db: Db, issuing: HowIssued, cause: RequestCause) -> SessionOut:
    """Exchange a refresh token, once, for new tokens. A second use ends the session."""
    presented = RefreshToken.parse(body.refresh_token.get_secret_value())
    async with db.transaction(presented.workspace_id, cause) as tx:
        session = await commands.continue_session(tx, issuing, presented)
    if session is None:
        raise Unauthenticated(_SPENT)
    return SessionOut.of(session)


@router.post("/v1/auth/logout", status_code=204)
async def logout(body: RefreshIn, db: Db, cause: RequestCause) -> Response:
    """End a session. The access token lives on until it expires."""
    presented = RefreshToken.parse(body.refresh_token.get_secret_value())
    async with db.transaction(presented.workspace_id, cause) as tx:
        await commands.close_session(tx, presented)
    return Response(status_code=204)


@router.get("/v1/me")
async def me(caller: Annotated[Caller, Depends(authenticated)], db: Db) -> MeOut:
    """The caller, and the workspace that their token is for."""
    async with db.transaction(caller.tenant_id) as tx:
        return MeOut.of(await queries.profile(tx, caller.user_id, caller.tenant_id), caller)


@router.get("/.well-known/jwks.json")
async def jwks(db: Db, issuing: HowIssued) -> JwksOut:
    """The public keys that access tokens are checked with."""
    async with db.public() as tx:
        return JwksOut(keys=await commands.public_keys(tx, issuing))
