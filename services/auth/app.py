"""How is it wired? Database, relay, consumer, the end of verifications, and the HTTP app.

The app checks tokens with the keys of its own database.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from joserfc.jwk import KeySet

from libs.kit.consumer import consumer
from libs.kit.crypto.encryption import encryption
from libs.kit.db import Database, database
from libs.kit.http.app import http_app
from libs.kit.relay import relay
from libs.kit.security import KeySource, TokenVerifier
from libs.kit.service import Service
from services.auth import api
from services.auth.commands.signing_keys import public_keys
from services.auth.consumers import handlers
from services.auth.kyc_expiry import kyc_expiry
from services.auth.passwords import Passwords
from services.auth.settings import Settings
from services.auth.tokens import Issuing


def _own_keys(db: Database, issuing: Issuing) -> KeySource:
    async def read() -> KeySet:
        async with db.public() as tx:
            return KeySet.import_key_set({"keys": [dict(key) for key in await public_keys(tx, issuing)]})

    return read


@asynccontextmanager
async def service(settings: Settings) -> AsyncIterator[Service]:
    """The context at work. Raises KeyTrouble when the key-encryption key does not open the signing key."""
    async with (
        database(settings, "auth") as db,
        relay(db, settings) as relay_,
        consumer(db, settings, handlers(settings)) as consumer_,
        kyc_expiry(db, settings.auth_kyc_expiry_seconds) as expiry,
        encryption(settings) as encryption_,
    ):
        issuing = Issuing.of(settings, encryption_.guard)
        keys = _own_keys(db, issuing)
        await keys()
        tokens = TokenVerifier(keys, settings.token_issuer, settings.token_audience)
        probes = (relay_, consumer_, expiry)
        http = http_app("auth", settings, routers=[api.router], db=db, tokens=tokens, probes=probes)
        http.state.passwords = Passwords(settings.auth_hashing_threads)
        http.state.issuing = issuing
        http.state.encryption = encryption_
        http.state.kyc_holds_for = timedelta(days=settings.auth_kyc_valid_days)
        yield Service("auth", http, probes)
