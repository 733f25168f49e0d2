"""Who asked over HTTP? OAuth's clients: what there is (RFC 8414), a device (RFC 8628), tokens, an end (RFC 7009)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field, Secret, StringConstraints

from libs.kit.acts import Origin
from libs.kit.db import Database
from libs.kit.errors import Unauthenticated
from libs.kit.http.app import Db, RequestCause
from libs.kit.http.client_address import client_address
from libs.kit.http.origin import RequestOrigin
from libs.kit.http.rate_limits import per_address
from libs.kit.http.routes import Router
from libs.schema.event import Cause
from services.auth.api.fields import PresentedToken
from services.auth.api.forms import MEDIA_TYPE, FormRoute, RefusedOut, refused
from services.auth.api.parts import AllParts, Parts
from services.auth.api.programs import ProgramAsks, ProgramTokenOut, answer_program
from services.auth.api.sessions import TokensOut
from services.auth.commands import devices, sessions
from services.auth.device_codes import DeviceCode
from services.auth.model import CLIENTS, SCOPES_OF_ROLE, GrantType, Refusal
from services.auth.queries.devices import approver
from services.auth.tokens import Ticket

router = Router(route_class=FormRoute)

ClientId = Annotated[
    str, StringConstraints(min_length=1, max_length=100), Field(json_schema_extra={"enum": sorted(CLIENTS)})
]
_DOTS_OF_A_JWT = 2
PresentedCode = Secret[Annotated[str, StringConstraints(max_length=100)]]


class MetadataOut(BaseModel):
    """Authorization server metadata (RFC 8414)."""

    issuer: str
    jwks_uri: str
    device_authorization_endpoint: str
    token_endpoint: str
    revocation_endpoint: str
    grant_types_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
    revocation_endpoint_auth_methods_supported: list[str]
    response_types_supported: list[str]
    scopes_supported: list[str]


class DeviceIn(BaseModel):
    """A client that can't open a browser."""

    model_config = ConfigDict(extra="forbid")

    client_id: ClientId


class DeviceOut(BaseModel):
    """Codes: one for the device, one for its person."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int
    """Seconds that somebody has to answer in."""
    interval: int
    """Seconds to wait between two polls."""


class TokenIn(BaseModel):
    """What is exchanged for tokens."""

    model_config = ConfigDict(extra="forbid")

    grant_type: Annotated[str, StringConstraints(max_length=100), Field(json_schema_extra={"enum": list(GrantType)})]
    client_id: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    """Of people's clients one of those that are known; of a program, the prefix of its API key."""
    device_code: PresentedCode | None = None
    refresh_token: PresentedToken | None = None
    client_secret: PresentedToken | None = None
    scope: Annotated[str, StringConstraints(max_length=1_000)] | None = None
    """Less than the API key allows, by spaces."""


class RevocationIn(BaseModel):
    """A refresh token whose session is to end."""

    model_config = ConfigDict(extra="forbid")

    token: Secret[Annotated[str, StringConstraints(max_length=8_192)]]
    token_type_hint: Annotated[str, StringConstraints(max_length=100)] | None = None
    client_id: ClientId | None = None


def _form_of(model: type[BaseModel]) -> dict[str, object]:
    """What the document says of a route beside what FastAPI knows: the same model as a form, where more is ignored."""
    schema = model.model_json_schema()
    fields = {name: _without_null(field) for name, field in schema["properties"].items()}
    form = {"type": "object", "properties": fields, "required": schema.get("required", [])}
    return {"requestBody": {"content": {MEDIA_TYPE: {"schema": form}}}}


def _without_null(field: dict[str, object]) -> object:
    """A field of a form is left out or has a value."""
    choices = field.get("anyOf")
    return choices[0] if isinstance(choices, list) else field


_REFUSALS: dict[int | str, dict[str, object]] = {
    400: {"model": RefusedOut, "description": "No tokens; `error` says why"}
}


@router.get("/.well-known/oauth-authorization-server")
async def metadata(parts: AllParts) -> MetadataOut:
    """Where everything is that OAuth's clients ask for."""
    how = parts.authorizing
    return MetadataOut(
        issuer=parts.issuing.issuer,
        jwks_uri=f"{how.public_url}/.well-known/jwks.json",
        device_authorization_endpoint=f"{how.public_url}/v1/auth/device",
        token_endpoint=f"{how.public_url}/v1/auth/token",
        revocation_endpoint=f"{how.public_url}/v1/auth/revoke",
        grant_types_supported=list(GrantType),
        token_endpoint_auth_methods_supported=["none", "client_secret_basic", "client_secret_post"],
        revocation_endpoint_auth_methods_supported=["none"],
        response_types_supported=[],
        scopes_supported=sorted(frozenset().union(*SCOPES_OF_ROLE.values())),
    )


@router.post(
    "/v1/auth/device",
    response_model=DeviceOut,
    responses=_REFUSALS,
    dependencies=[per_address("device")],
    openapi_extra=_form_of(DeviceIn),
)
async def ask(body: DeviceIn, db: Db, parts: AllParts, request: Request, cause: RequestCause) -> DeviceOut | Response:
    """Let a device wait until a person has approved it elsewhere."""
    if body.client_id not in CLIENTS:
        return refused(Refusal.INVALID_CLIENT)
    how = parts.authorizing
    async with db.public(cause) as tx:
        asked = await devices.ask(tx, how, body.client_id, client_address(request))
    return DeviceOut(
        device_code=asked.device_code.secret,
        user_code=str(asked.user_code),
        verification_uri=how.verification_url,
        verification_uri_complete=f"{how.verification_url}?user_code={asked.user_code}",
        expires_in=int(how.lifetime.total_seconds()),
        interval=int(how.interval.total_seconds()),
    )


@router.post(
    "/v1/auth/token",
    response_model=TokensOut | ProgramTokenOut,
    responses=_REFUSALS
    | {401: {"model": RefusedOut, "description": "Not the API key's prefix and secret, by HTTP Basic"}},
    dependencies=[per_address("refresh")],
    openapi_extra=_form_of(TokenIn),
)
async def token(
    body: TokenIn, program: ProgramAsks, db: Db, parts: AllParts, origin: RequestOrigin, cause: RequestCause
) -> TokensOut | ProgramTokenOut | Response:
    """Exchange an approved device code or a refresh token, once, for tokens, or an API key for a program's token."""
    if body.grant_type == GrantType.CLIENT_CREDENTIALS:
        secret = None if body.client_secret is None else body.client_secret.get_secret_value()
        return await answer_program(program, body.client_id, secret, body.scope)
    outcome = await _exchange(body, _Asked(db, parts, origin, cause))
    return refused(outcome) if isinstance(outcome, Refusal) else TokensOut.of(outcome)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request for tokens, apart from what it shows for them."""

    db: Database
    parts: Parts
    origin: Origin
    cause: Cause


async def _exchange(body: TokenIn, asked: _Asked) -> sessions.Tokens | Refusal:
    if body.client_id is not None and body.client_id not in CLIENTS:
        return Refusal.INVALID_CLIENT
    if body.grant_type == GrantType.DEVICE_CODE:
        if body.device_code is None or body.client_id is None:
            return Refusal.INVALID_REQUEST
        return await _poll(DeviceCode(body.device_code.get_secret_value()), body.client_id, asked)
    if body.grant_type == GrantType.REFRESH_TOKEN:
        if body.refresh_token is None:
            return Refusal.INVALID_REQUEST
        return await _refresh(body.refresh_token.get_secret_value(), asked)
    return Refusal.UNSUPPORTED_GRANT_TYPE


async def _poll(code: DeviceCode, client_id: str, asked: _Asked) -> sessions.Tokens | Refusal:
    db, cause = asked.db, asked.cause
    async with db.public(cause) as tx:
        who = await approver(tx, code)
    async with db.public(cause) if who is None else db.transaction(who.home_id, cause) as tx:
        user_id = None if who is None else who.user_id
        return await devices.poll(tx, asked.parts.issuing, code, client_id, user_id, asked.origin)


async def _refresh(text: str, asked: _Asked) -> sessions.Tokens | Refusal:
    try:
        presented = Ticket.parse(text)
    except Unauthenticated:
        return Refusal.INVALID_GRANT
    parts = asked.parts
    try:
        async with asked.db.transaction(presented.home_id, asked.cause) as tx:
            tokens = await sessions.continue_session(tx, parts.issuing, presented, asked.origin)
            return tokens or Refusal.INVALID_GRANT
    except sessions.NoLongerAMember:
        return Refusal.INVALID_GRANT


@router.post(
    "/v1/auth/revoke",
    response_class=Response,
    responses=_REFUSALS,
    dependencies=[per_address("refresh")],
    openapi_extra=_form_of(RevocationIn),
)
async def revoke(body: RevocationIn, db: Db, origin: RequestOrigin, cause: RequestCause) -> Response:
    """End the session of a refresh token. Answers alike whether there was one: what is wanted is so (RFC 7009)."""
    if body.client_id is not None and body.client_id not in CLIENTS:
        return refused(Refusal.INVALID_CLIENT)
    text = body.token.get_secret_value()
    if body.token_type_hint == "access_token" or text.count(".") == _DOTS_OF_A_JWT:  # noqa: S105 a kind, not a token
        return refused(Refusal.UNSUPPORTED_TOKEN_TYPE)
    try:
        presented = Ticket.parse(text)
    except Unauthenticated:
        return Response(status_code=200)
    async with db.transaction(presented.home_id, cause) as tx:
        await sessions.close_session(tx, presented, origin)
    return Response(status_code=200)
