"""Who signs tokens in tests of one context? A key pair whose public half is served over HTTP, as auth serves its own."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import OKPKey

from fillstream.serve import bind, listening
from libs.kit.ids import uuid7
from libs.kit.settings import Settings

ISSUER: str = Settings.model_fields["public_url"].default
"""Who issues tokens where nobody says otherwise."""
ALL_SCOPES = (
    "marketdata:read", "marketdata:write", "strategies:read", "strategies:write", "signals:read", "orders:read",
    "orders:write", "accounts:read", "accounts:write", "portfolio:read", "billing:read", "billing:write",
    "notifications:read", "notifications:write", "devices:approve", "audit:read", "kyc:decide",
    "users:read", "users:lock", "users:write", "roles:write",
    "members:read", "members:write", "workspace:write",
    "notifications:read", "notifications:write", "devices:approve", "audit:read", "kyc:decide", "api-keys:read",
    "api-keys:write",
    "notifications:read", "notifications:write", "devices:approve", "audit:read", "kyc:decide", "support:grant",
    "support:act", "referrals:write", "customers:read",
)  # fmt: skip


@dataclass(frozen=True)
class Issuer:
    """Signs access tokens as auth does."""

    key: OKPKey
    jwks_url: str

    def token(self, tenant_id: UUID, *, scopes: Collection[str] = ALL_SCOPES, **claims: object) -> str:
        """A valid access token for a workspace; `claims` replace or add."""
        now = int(time.time())
        payload = {
            "iss": ISSUER, "aud": "fillstream", "sub": str(uuid7()), "tid": str(tenant_id),
            "scope": " ".join(scopes), "iat": now, "exp": now + 600, "jti": str(uuid7()),
        }  # fmt: skip
        header = {"alg": "Ed25519", "kid": self.key.kid, "typ": "at+jwt"}
        return jwt.encode(header, payload | claims, self.key, algorithms=["Ed25519"])


@asynccontextmanager
async def running_issuer() -> AsyncIterator[Issuer]:
    """An issuer whose public key is served on a free loopback port."""
    key = OKPKey.generate_key("Ed25519", {"use": "sig"}, auto_kid=True)
    app = FastAPI()
    app.get("/.well-known/jwks.json")(lambda: {"keys": [key.as_dict(private=False)]})
    listener = bind("127.0.0.1", 0)
    async with listening(app, listener):
        yield Issuer(key, f"http://127.0.0.1:{listener.getsockname()[1]}/.well-known/jwks.json")
