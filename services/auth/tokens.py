"""What do tokens look like? Access tokens are signed claims (RFC 9068); all others are random and name their home."""

from __future__ import annotations

import base64
import hashlib
import hmac
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

    def followed_by(self, salt: bytes) -> Ticket:
        """The one that comes after it: known to who has this one and the salt, and to nobody who has but one of them."""
        # HMAC-SHA256 under 256 random bits is as good as new ones; as long as `generate` makes them.
        secret = hmac.digest(self.secret.encode(errors="surrogatepass"), b"refresh\0" + salt, hashlib.sha256)
        return Ticket(self.home_id, base64.urlsafe_b64encode(secret).decode().rstrip("="))

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
    authenticated_at: datetime | None
    """When the person last showed in this session who they are; None as long as they have not."""
    methods: tuple[str, ...]
    on_behalf_of: UUID | None = None
    """In whose place they act, where it is not their own."""
    ends_at: datetime | None = None
    """When it is over at the latest; None where an access token's own time is all that limits it."""

    def lifetime(self, usual: timedelta, now: datetime) -> timedelta:
        """How long an access token of it lives."""
        return usual if self.ends_at is None else min(usual, self.ends_at - now)


@dataclass(frozen=True, slots=True)
class ProgramGrant:
    """What an access token lets a program do: act for a person in one workspace, from some networks, for a short time."""

    key_id: UUID
    user_id: UUID
    workspace_id: UUID
    scopes: frozenset[str]
    networks: tuple[str, ...]
    lifetime: timedelta


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
            settings.issuer,
            settings.token_audience,
            timedelta(seconds=settings.access_token_seconds),
            timedelta(seconds=settings.auth_refresh_token_seconds),
            timedelta(days=settings.auth_session_days),
            timedelta(seconds=settings.auth_key_overlap_seconds),
            timedelta(seconds=settings.auth_key_lead_seconds),
        )

    def access_token(self, key: OKPKey, grant: Grant, now: datetime) -> str:
        """The signed token of a grant (RFC 9068)."""
        claims: dict[str, object] = {
            "sub": str(grant.user_id),
            "tid": str(grant.workspace_id),
            "sid": str(grant.session_id),
            "scope": " ".join(sorted(grant.scopes)),
        }
        if grant.authenticated_at is not None:
            claims |= {"auth_time": int(grant.authenticated_at.timestamp()), "amr": sorted(grant.methods)}
        if grant.on_behalf_of is not None:
            claims["on_behalf_of"] = str(grant.on_behalf_of)
        return self._signed(key, claims, now, grant.lifetime(self.access_lifetime, now))

    def program_token(self, key: OKPKey, grant: ProgramGrant, now: datetime) -> str:
        """The signed token of a program. Its key stands for a session, and nobody has shown who they are."""
        claims: dict[str, object] = {
            "sub": str(grant.user_id),
            "tid": str(grant.workspace_id),
            "sid": str(grant.key_id),
            "client_id": str(grant.key_id),
            "scope": " ".join(sorted(grant.scopes)),
            "networks": list(grant.networks),
        }
        return self._signed(key, claims, now, grant.lifetime)

    def _signed(self, key: OKPKey, claims: dict[str, object], now: datetime, lifetime: timedelta) -> str:
        """A token with these claims. Its times are exact, so that a revocation meets those before it alone."""
        issued = round(now.timestamp(), 3)
        said: dict[str, object] = {"iss": self.issuer, "aud": self.audience}
        said |= claims | {
            "iat": issued,
            "exp": round(issued + lifetime.total_seconds(), 3),
            "jti": str(uuid7()),
        }
        header = {"alg": ALGORITHM, "typ": ACCESS_TOKEN_TYPE, "kid": key_id(key)}
        return jwt.encode(header, said, key, algorithms=[ALGORITHM])
