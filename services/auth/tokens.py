"""What do tokens look like? Access tokens are signed claims (RFC 9068); refresh tokens are random and name their workspace."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
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


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token as its holder has it: the workspace, so that row-level security can find it, and a secret."""

    workspace_id: UUID
    secret: str = field(repr=False)

    @classmethod
    def generate(cls, workspace_id: UUID) -> RefreshToken:
        """A new one, with 256 random bits."""
        return cls(workspace_id, secrets.token_urlsafe(_SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> RefreshToken:
        """The token that a client sends. Raises Unauthenticated when it can't be one of ours."""
        workspace, _, secret = text.partition(".")
        try:
            return cls(UUID(workspace), secret)
        except ValueError:
            raise Unauthenticated("the refresh token is not valid, or no longer") from None

    def __str__(self) -> str:
        return f"{self.workspace_id}.{self.secret}"

    @property
    def digest(self) -> bytes:
        """SHA-256 of the secret, which is random enough to need no salt."""
        return hashlib.sha256(self.secret.encode()).digest()


@dataclass(frozen=True, slots=True)
class Issuing:
    """How this installation makes tokens."""

    vault: KeyVault
    issuer: str
    audience: str
    access_lifetime: timedelta
    refresh_lifetime: timedelta
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
            timedelta(seconds=settings.auth_key_overlap_seconds),
            timedelta(seconds=settings.auth_key_lead_seconds),
        )

    def access_token(
        self, key: OKPKey, user_id: UUID, workspace_id: UUID, scopes: Collection[str], now: datetime
    ) -> str:
        """A signed token that lets its bearer act for a user in one workspace, for a short time."""
        issued = int(now.timestamp())
        claims: dict[str, object] = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": str(user_id),
            "tid": str(workspace_id),
            "scope": " ".join(sorted(scopes)),
            "iat": issued,
            "exp": issued + int(self.access_lifetime.total_seconds()),
            "jti": str(uuid7()),
        }
        header = {"alg": ALGORITHM, "typ": ACCESS_TOKEN_TYPE, "kid": key_id(key)}
        return jwt.encode(header, claims, key, algorithms=[ALGORITHM])
