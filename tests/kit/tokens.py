"""Tokens good and bad, and auth as the place where public keys come from."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from dataclasses import dataclass, field

import httpx2
from joserfc.jwk import KeySet, OKPKey

from libs.kit.ids import uuid7

TENANT = uuid7()


def a_key() -> OKPKey:
    return OKPKey.generate_key("Ed25519", {"use": "sig"}, auto_kid=True)


@dataclass
class Auth:
    """Where the public keys come from; counts who asks."""

    keys: list[OKPKey] = field(default_factory=lambda: [a_key()])
    requests: int = 0
    away: bool = False

    async def __call__(self) -> KeySet:
        self.requests += 1
        await asyncio.sleep(0.01)
        if self.away:
            raise httpx2.ConnectError("nobody is there")
        return KeySet.import_key_set({"keys": [key.as_dict(private=False) for key in self.keys]})

    def token(self, header: dict[str, object] | None = None, key: OKPKey | None = None, **claims: object) -> str:
        """A good token, but for what is said; a claim that is None is left out."""
        signer = key or self.keys[-1]
        now = int(time.time())
        payload: dict[str, object] = {
            "iss": "fillstream", "aud": "fillstream", "sub": str(uuid7()), "tid": str(TENANT),
            "scope": "orders:read", "iat": now, "exp": now + 600, "jti": str(uuid7()),
        }  # fmt: skip
        payload = {name: value for name, value in (payload | claims).items() if value is not None}
        headers = {"alg": "Ed25519", "kid": signer.kid, "typ": "at+jwt"} | (header or {})
        headers = {name: value for name, value in headers.items() if value is not None}
        return signed(headers, payload, signer)


def part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def signed(header: dict[str, object], payload: dict[str, object], key: OKPKey) -> str:
    """Any header and payload, truly signed: the library would refuse to make what it ought to refuse."""
    text = f"{part(header)}.{part(payload)}"
    signature = key.private_key.sign(text.encode())  # type: ignore[union-attr]
    return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
