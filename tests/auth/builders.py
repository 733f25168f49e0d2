"""Who calls auth in tests? People with addresses and passwords, and attackers with tokens of their own making."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass

from httpx2 import AsyncClient, Response
from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey
from pydantic import SecretStr

from libs.kit.crypto.key_encryption import WrappedKey
from libs.kit.ids import uuid7
from libs.kit.mail_secrets import mail_secret
from libs.kit.security import TokenVerifier
from libs.schema.auth import MailRequested, MailTemplate
from services.auth.settings import Settings
from services.auth.tokens import Issuing
from tests.issuer import ISSUER
from tests.keysets import vault_at
from tests.proved import prove_address
from tests.world import Running, ServiceClient, World

MAIL_SECRET = "a made-up secret of more than 32 characters"
PASSWORD = "correct horse battery staple"
EMAIL = "ada@example.com"
_JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Person:
    """Somebody who registered, proved their address and logged in."""

    user_id: str
    workspace_id: str
    access_token: str
    refresh_token: str
    session_id: str = ""

    @property
    def bearer(self) -> dict[str, str]:
        return bearer(self.access_token)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def register(client: AsyncClient, **changes: object) -> Response:
    body = {"email": EMAIL, "password": PASSWORD} | changes
    # As ASCII: the client's own encoder can't send a lone surrogate, but an attacker can.
    return await client.post("/v1/auth/register", content=json.dumps(body), headers=_JSON)


async def log_in(client: AsyncClient, **changes: object) -> Response:
    return await client.post("/v1/auth/login", json={"email": EMAIL, "password": PASSWORD} | changes)


async def refresh(client: AsyncClient, token: str) -> Response:
    return await client.post("/v1/auth/refresh", json={"refresh_token": token})


async def refresh_elsewhere(client: AsyncClient, token: str) -> Response:
    """The same from another device, as a thief would."""
    headers = {"user-agent": "somebody else's"}
    return await client.post("/v1/auth/refresh", json={"refresh_token": token}, headers=headers)


async def a_person(client: AsyncClient, *, email: str = EMAIL, **names: str) -> Person:
    """Somebody whose address is proved; a client that does not know what is behind its service leaves that to others."""
    made = (await register(client, email=email, **names)).json()
    if isinstance(client, ServiceClient):
        await prove_address(client.db, email)
    return await again(client, made["user_id"], email=email)


async def a_newcomer(client: AsyncClient, *, email: str = EMAIL) -> Person:
    """Somebody who has not proved yet that their address is theirs, and who may be a stranger."""
    made = (await register(client, email=email)).json()
    return await again(client, made["user_id"], email=email)


async def again(client: AsyncClient, user_id: str, *, email: str = EMAIL) -> Person:
    """The person, logged in once more."""
    session = (await log_in(client, email=email)).json()
    return Person(
        user_id, session["workspace_id"], session["access_token"], session["refresh_token"], session["session_id"]
    )


async def forget_the_waits(world: World) -> None:
    """Let so much time pass that the next try may be made, and not so much that failures are forgotten."""
    await world.fetch("UPDATE auth.login_guard SET last_failed_at = last_failed_at - interval '10 minutes'")


def stop_the_clock(auth: Running) -> None:
    """Let no time pass between tries, however long they take."""
    now = auth.db.clock()
    auth.db.clock = lambda: now


async def mails(world: World, template: MailTemplate, count: int = 1) -> list[MailRequested]:
    """The mails of a template that were asked for, the oldest first; fails unless there are `count`."""
    await world.settled("auth")
    found = [told.event for told in world.published(MailRequested) if told.event.template == template]
    assert len(found) == count, f"{len(found)} mails of {template}, {count} expected"
    return found


def ticket(mail: MailRequested) -> str:
    """What stands in a mail, for whoever reads it."""
    return f"{mail.workspace_id}.{mail_secret(SecretStr(MAIL_SECRET), mail.mail_id)}"


def verifier(client: AsyncClient) -> TokenVerifier:
    """What another service checks tokens with: nothing but the public keys, freshly fetched."""

    async def fetch() -> KeySet:
        return KeySet.import_key_set((await client.get("/.well-known/jwks.json")).json())

    return TokenVerifier(fetch, ISSUER, "fillstream")


def issuing(world: World) -> Issuing:
    settings = world.settings_of("auth")
    assert isinstance(settings, Settings)
    return Issuing.of(settings, vault_at(settings.encryption_key_url or "").guard)


async def private_key(world: World) -> OKPKey:
    """The key that auth signs with now, stolen from its database with the key that wrapped it."""
    row = (await world.fetch("SELECT * FROM auth.signing_key ORDER BY active_from DESC"))[0]
    return await issuing(world).vault.open(row["kid"], WrappedKey(row["sealed_private_key"], row["wrapped_by"]))


@dataclass(frozen=True)
class Forger:
    """Makes tokens like auth's own, but for what a test changes."""

    person: Person
    key: OKPKey

    def claims(self, **changes: object) -> dict[str, object]:
        now = int(time.time())
        return {
            "iss": ISSUER, "aud": "fillstream", "sub": self.person.user_id, "tid": self.person.workspace_id,
            "scope": "orders:read", "iat": now, "exp": now + 600, "jti": str(uuid7()), "auth_time": now,
            **({"sid": self.person.session_id} if self.person.session_id else {}),
        } | changes  # fmt: skip

    def header(self, **changes: object) -> dict[str, object]:
        return {"alg": "Ed25519", "typ": "at+jwt", "kid": self.key.kid} | changes

    def token(self, *, header: dict[str, object] | None = None, **claims: object) -> str:
        return jwt.encode(self.header(**(header or {})), self.claims(**claims), self.key, algorithms=["Ed25519"])

    def unsigned(self) -> str:
        return f"{_segment(self.header(alg='none'))}.{_segment(self.claims())}."

    def hmac_with(self, secret: bytes) -> str:
        text = f"{_segment(self.header(alg='HS256'))}.{_segment(self.claims())}"
        return f"{text}.{_base64(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def kid_of(token: str) -> str:
    """Which key an access token says that it was signed with."""
    head = token.partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"])


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _segment(value: dict[str, object]) -> str:
    return _base64(json.dumps(value).encode())
