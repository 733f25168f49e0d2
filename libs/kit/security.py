"""Who is calling, and what may they do? EdDSA tokens checked locally with the public keys of auth (RFC 9068, RFC 8725)."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated
from uuid import UUID

import httpx2
import structlog
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet, KeySetSerialization

from libs.kit.acts import Actor, Origin
from libs.kit.checked_tokens import Checked, CheckedTokens
from libs.kit.db import utc_now
from libs.kit.errors import Forbidden, Rejected, Unauthenticated
from libs.kit.http.on_behalf import tell_request
from libs.kit.http.origin import origin
from libs.kit.http.programs import Program, admit, networks_of
from libs.kit.ids import uuid_of
from libs.kit.logging import logger
from libs.kit.revocations import Granted, Revocations
from libs.kit.settings import Network, Settings
from libs.schema.audit import ActorKind

log = logger(__name__)

ALGORITHM = "Ed25519"
ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105 a media type (RFC 9068), not a secret
STEP_UP_AGE = timedelta(minutes=15)
"""How long ago a person may have shown who they are for what `fresh` guards."""
_LEEWAY_SECONDS = 5
_REFRESH_SECONDS = 300.0
_UNKNOWN_KEY_SECONDS = 5.0
_FETCH_SECONDS = 5.0

KeySource = Callable[[], Awaitable[KeySet]]


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a valid token speaks for."""

    user_id: UUID
    tenant_id: UUID
    """The one workspace that the token is for."""
    scopes: frozenset[str]
    token_id: UUID
    issued_at: datetime
    expires_at: datetime
    session_id: UUID | None = None
    """The session that the token came from; None for one that came from none."""
    authenticated_at: datetime | None = None
    """When the person last showed who they are, by password or better."""
    methods: frozenset[str] = frozenset()
    """How they did, in the words of RFC 8176."""
    client_id: UUID | None = None
    """The API key of the program that acts for the person; None for the person themselves."""
    networks: tuple[Network, ...] = ()
    """Where that program may call from; anywhere when there are none."""

    on_behalf_of: UUID | None = None
    """Whose guest the caller is in the workspace, and in whose place they act there; None for whoever is at home."""
    granted: Granted = field(init=False, repr=False, compare=False)
    """What a revocation may mean of the token."""

    def __post_init__(self) -> None:
        """Say once what every request is asked."""
        granted = Granted(self.user_id, self.tenant_id, self.session_id, self.issued_at)
        object.__setattr__(self, "granted", granted)

    def actor(self, origin: Origin) -> Actor:
        """Who acts, in a trail's words; guests are staff."""
        kind = ActorKind.USER if self.on_behalf_of is None else ActorKind.STAFF
        return Actor(kind, self.user_id, self.on_behalf_of, origin)


class KeysUnavailable(Rejected):
    """The public keys can't be fetched now, so nobody can be checked."""

    status = 503
    slug = "keys-unavailable"


class StepUpRequired(Unauthenticated):
    """The person has to show once more who they are: what they want is too dangerous for an open session (RFC 9470)."""

    slug = "step-up-required"
    challenge = f'Bearer error="insufficient_user_authentication", max_age="{int(STEP_UP_AGE.total_seconds())}"'


@dataclass(eq=False)
class TokenVerifier:
    """Checks access tokens; keeps the public keys and asks for them again when a new one signs."""

    source: KeySource
    issuer: str
    audience: str
    revoked: Revocations = field(default_factory=Revocations)
    clock: Callable[[], float] = time.time
    """Seconds since 1970."""
    token_seconds: float = 86_400
    """How long a token lives at most."""
    _checked: CheckedTokens[Caller] = field(default_factory=CheckedTokens)
    _keys: KeySet = field(default_factory=lambda: KeySet([]))
    _fetched_at: float = float("-inf")
    _failed_at: float = float("-inf")
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def verify(self, token: str) -> Caller:
        """The caller. Raises Unauthenticated when the token is not one of ours, or not for us, or not now."""
        await self._refresh_if_older_than(_REFRESH_SECONDS)
        try:
            checked = self._checked.find(token, int(self.clock())) or await self._check(token)
            self._refuse_revoked(checked.caller.granted)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
            detail = "the access token is not valid, or no longer"
            raise Unauthenticated(detail) from error
        return checked.caller

    async def _check(self, token: str) -> Checked[Caller]:
        """What a token says that nobody has shown lately. Raises what `verify` tells as Unauthenticated."""
        claims = await self._claims(token)
        if float(claims["exp"]) - float(claims["iat"]) > self.token_seconds:
            # It could outlive what is remembered of revocations.
            msg = "it lives for too long"
            raise ValueError(msg)
        caller = Caller(
            uuid_of(claims["sub"]),
            uuid_of(claims["tid"]),
            frozenset(claims["scope"].split()),
            uuid_of(claims["jti"]),
            _moment(claims["iat"]),
            _moment(claims["exp"]),
            uuid_of(claims["sid"]) if "sid" in claims else None,
            _moment(claims["auth_time"]) if "auth_time" in claims else None,
            _methods(claims.get("amr", [])),
            uuid_of(claims["client_id"]) if "client_id" in claims else None,
            networks_of(claims.get("networks", [])),
            uuid_of(claims["on_behalf_of"]) if "on_behalf_of" in claims else None,
        )
        begins = max(float(claims["iat"]), float(claims.get("nbf", claims["iat"]))) - _LEEWAY_SECONDS
        checked = Checked(caller, begins, float(claims["exp"]) + _LEEWAY_SECONDS)
        # Nothing was awaited since the signature was checked, so that the keys are still those.
        self._checked.keep(token, checked)
        return checked

    @contextmanager
    def watched(self, caller: Caller, over: Callable[[], None]) -> Iterator[None]:
        """Call `over` as soon as a request with the caller's token would be refused: it has expired, or was revoked.

        For answers that go on after the token was checked, such as streams. It may be called more than once.
        """
        left = caller.expires_at.timestamp() + _LEEWAY_SECONDS - self.clock()
        timer = asyncio.get_running_loop().call_later(left, over)
        try:
            with self.revoked.watched(caller.granted, over):
                yield
        finally:
            timer.cancel()

    def _refuse_revoked(self, granted: Granted) -> None:
        if self.revoked.cover(granted):
            msg = "the token was revoked"
            raise ValueError(msg)

    async def _claims(self, token: str) -> dict[str, str]:
        try:
            decoded = jwt.decode(token, self._keys, algorithms=[ALGORITHM])
        except InvalidKeyIdError:
            # The key that signed is not among those that we know: it may be new.
            await self._refresh_if_older_than(_UNKNOWN_KEY_SECONDS)
            decoded = jwt.decode(token, self._keys, algorithms=[ALGORITHM])
        if decoded.header.get("typ") != ACCESS_TOKEN_TYPE:
            msg = "not an access token"
            raise ValueError(msg)
        registry = jwt.JWTClaimsRegistry(
            now=lambda: int(self.clock()),
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self.audience},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
        )
        registry.validate(decoded.claims)
        return decoded.claims

    async def _refresh_if_older_than(self, seconds: float) -> None:
        asked_at = time.monotonic()
        if asked_at - self._fetched_at < seconds:
            return
        async with self._lock:
            # Whoever waited for the lock shares what came of the request that held it.
            if self._failed_at < asked_at and time.monotonic() - self._fetched_at >= seconds:
                await self._refresh()
            if not self._keys.keys:
                detail = "the keys that tokens are checked with can't be fetched now"
                raise KeysUnavailable(detail, retry_after=1)

    async def _refresh(self) -> None:
        try:
            keys = await self.source()
            if _published(keys) != _published(self._keys):
                self._checked.forget()
            self._keys = keys
        except (httpx2.HTTPError, ValueError, TypeError, KeyError, JoseError) as error:
            log.warning("keys_unavailable", error=repr(error))
            self._failed_at = time.monotonic()
            if not self._keys.keys:
                return
        self._fetched_at = time.monotonic()


def _published(keys: KeySet) -> list[dict[str, object]]:
    """What can be known of keys, so that two sets can be compared."""
    return [dict(key.as_dict(private=False)) for key in keys.keys]


def _moment(seconds: str | float) -> datetime:
    """A NumericDate (RFC 7519), which may have a fraction."""
    return datetime.fromtimestamp(float(seconds), UTC)


def _methods(claim: object) -> frozenset[str]:
    """The claim `amr` (RFC 8176). Raises TypeError for anything but a list of texts."""
    if not isinstance(claim, list) or not all(isinstance(method, str) for method in claim):
        msg = "amr is no list of texts"
        raise TypeError(msg)
    return frozenset(claim)


@cache
def _trusted() -> ssl.SSLContext:
    """The system's authorities, read once: each reading takes a tenth of a second."""
    return ssl.create_default_context()


@asynccontextmanager
async def token_verifier(settings: Settings, revoked: Revocations) -> AsyncIterator[TokenVerifier]:
    """Checks tokens with the keys at `jwks_url`, and refuses those that were revoked."""
    async with httpx2.AsyncClient(timeout=_FETCH_SECONDS, trust_env=False, verify=_trusted()) as client:

        async def fetch() -> KeySet:
            response = await client.get(settings.jwks_url)
            response.raise_for_status()
            document: KeySetSerialization = response.json()
            return KeySet.import_key_set(document)

        yield TokenVerifier(
            fetch, settings.issuer, settings.token_audience, revoked, token_seconds=settings.access_token_seconds
        )


_bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="An access token of POST /v1/auth/login.")


async def authenticated(
    request: Request, _credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Caller:
    """The caller of a request; for `Depends`. Raises as `authenticate`."""
    return await authenticate(request)


async def authenticate(request: Request) -> Caller:
    """The caller of a request, found out once. What guests ask for is told to the trail first.

    Raises Unauthenticated, and what `admit` raises of programs.
    """
    known: Caller | None = getattr(request.state, "caller", None)
    if known is None:
        known = request.state.caller = await _caller(request)
    return known


async def _caller(request: Request) -> Caller:
    credentials = await _bearer(request)
    if credentials is None:
        detail = "send an access token as `Authorization: Bearer ...`"
        raise Unauthenticated(detail)
    verifier: TokenVerifier = request.app.state.token_verifier
    caller = await verifier.verify(credentials.credentials)
    structlog.contextvars.bind_contextvars(tenant_id=str(caller.tenant_id), user_id=str(caller.user_id))
    if caller.client_id is not None:
        await admit(request, Program(caller.client_id, caller.networks))
    if caller.on_behalf_of is not None:
        await tell_request(request, caller.tenant_id, caller.actor(await origin(request)))
    return caller


def requires(scope: str) -> Callable[[Caller], Awaitable[Caller]]:
    """A dependency that gives the caller if the token has `scope`: `Annotated[Caller, Depends(requires("x:read"))]`."""

    async def check(caller: Annotated[Caller, Depends(authenticated)]) -> Caller:
        if scope not in caller.scopes:
            detail = f"the token lacks the scope {scope}"
            raise Forbidden(detail, slug="missing-scope")
        return caller

    return check


async def fresh(caller: Annotated[Caller, Depends(authenticated)]) -> Caller:
    """The caller, if the person themselves has just shown who they are. Raises StepUpRequired, or Forbidden for programs and guests."""
    if caller.client_id is not None:
        detail = "a program can't do this with its API key: it takes the person"
        raise Forbidden(detail, slug="person-required")
    if caller.on_behalf_of is not None:
        detail = "a guest can't do this in the place of whoever let them in"
        raise Forbidden(detail, slug="person-required")
    if caller.authenticated_at is None or utc_now() - caller.authenticated_at > STEP_UP_AGE:
        detail = "show once more who you are, at `POST /v1/auth/step-up`"
        raise StepUpRequired(detail)
    return caller


def requires_fresh(scope: str) -> Callable[[Caller], Awaitable[Caller]]:
    """Like `requires`, for what is dangerous: `fresh` must be true as well."""
    # Not in the annotation below: FastAPI reads that as text, and knows nothing of what is local here.
    scoped = requires(scope)

    async def check(caller: Annotated[Caller, Depends(authenticated)]) -> Caller:
        return await fresh(await scoped(caller))

    return check
