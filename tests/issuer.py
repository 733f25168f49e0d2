"""Who signs tokens in tests of one context? A key pair whose public half is served over HTTP, as auth serves its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import uvicorn
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import OKPKey

from libs.kit.ids import uuid7

ALL_SCOPES = (
    "marketdata:read", "marketdata:write", "strategies:read", "strategies:write", "signals:read", "orders:read",
    "orders:write", "accounts:read", "accounts:write", "portfolio:read", "billing:read", "billing:write",
    "notifications:read", "notifications:write",
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
            "iss": "fillstream", "aud": "fillstream", "sub": str(uuid7()), "tid": str(tenant_id),
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
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Issuer(key, f"http://127.0.0.1:{port}/.well-known/jwks.json")
    server.should_exit = True
    await task
