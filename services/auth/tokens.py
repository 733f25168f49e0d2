"""What do tokens look like? Access tokens are signed claims (RFC 9068); all others are random and name their home."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from joserfc import jwt
from joserfc.jwk import OKPKey

from libs.kit.crypto.key_encryption import KeyEncryption
from libs.kit.errors import Unauthenticated
from libs.kit.ids import uuid7
from libs.kit.security import ACCESS_TOKEN_TYPE, ALGORITHM
from services.auth.keys import KeyVault, key_id
from services.auth.settings import Settings

_SECRET_BYTES = 32
SPENT = "the token is not valid, or no longer"


@dataclass(frozen=True, slots=True)
class Ticket:
    """A secret as its holder has it: with the home that it is kept in, so that row-level security can find it."""

    home_id: UUID
    secret: str = field(repr=False)

    @classmethod
    def generate(cls, home_id: UUID) -> Ticket:
        """A new one, with 256 random bits."""
        return cls(home_id, secrets.token_urlsafe(_SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> Ticket:
        """The ticket that a client sends. Raises Unauthenticated when it can't be one of ours."""
        home, _, secret = text.partition(".")
        try:
            return cls(UUID(home), secret)
        except ValueError:
            raise Unauthenticated(SPENT) from None

    def __str__(self) -> str:
        return f"{self.home_id}.{self.secret}"

    @property
    def digest(self) -> bytes:
        """SHA-256 of the secret, which is random enough to need no salt."""
        return hashlib.sha256(self.secret.encode(errors="surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class Grant:
    """What an access token lets its bearer do: act for a person in one workspace, for a short time."""

    user_id: UUID
    workspace_id: UUID
    session_id: UUID
    scopes: frozenset[str]
    authenticated_at: datetime
    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Issuing:
    """How this installation makes tokens."""

    vault: KeyVault
    issuer: str
    audience: str
    access_lifetime: timedelta
    refresh_lifetime: timedelta
    session_lifetime: timedelta
    key_overlap: timedelta
    key_lead: timedelta

    @classmethod
    def of(cls, settings: Settings, guard: KeyEncryption) -> Issuing:
        """What the settings say, with private keys that a key-encryption key guards."""
        return cls(
            KeyVault(guard),
            settings.token_issuer,
            settings.token_audience,
            timedelta(seconds=settings.auth_access_token_seconds),
            timedelta(seconds=settings.auth_refresh_token_seconds),
            timedelta(days=settings.auth_session_days),
            timedelta(seconds=settings.auth_key_overlap_seconds),
            timedelta(seconds=settings.auth_key_lead_seconds),
        )

    def access_token(self, key: OKPKey, grant: Grant, now: datetime) -> str:
        """The signed token of a grant (RFC 9068). Its times are exact, so that a revocation meets those before it alone."""
        issued = round(now.timestamp(), 3)
        claims: dict[str, object] = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": str(grant.user_id),
            "tid": str(grant.workspace_id),
            "sid": str(grant.session_id),
            "scope": " ".join(sorted(grant.scopes)),
            "auth_time": int(grant.authenticated_at.timestamp()),
            "amr": sorted(grant.methods),
            "iat": issued,
            "exp": round(issued + self.access_lifetime.total_seconds(), 3),
            "jti": str(uuid7()),
        }
        header = {"alg": ALGORITHM, "typ": ACCESS_TOKEN_TYPE, "kid": key_id(key)}
        return jwt.encode(header, claims, key, algorithms=[ALGORITHM])
