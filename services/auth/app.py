"""How is it wired? Database, relay, consumer, tasks that look at the clock, and the HTTP app, which checks tokens itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta

from joserfc.jwk import KeySet

from libs.kit.consumer import consumer
from libs.kit.crypto.encryption import encryption
from libs.kit.db import Database, database
from libs.kit.http.app import http_app
from libs.kit.relay import relay
from libs.kit.revocations import revocations
from libs.kit.security import KeySource, TokenVerifier
from libs.kit.service import Service
from services.auth import api
from services.auth.api.parts import Parts
from services.auth.commands.erasures import Erasing
from services.auth.commands.logins import Lockout
from services.auth.commands.mails import Mailing
from services.auth.commands.privacy_terms import Terms
from services.auth.commands.signing_keys import public_keys
from services.auth.consumers import handlers
from services.auth.data_exports import data_exports
from services.auth.device_codes import Authorizing
from services.auth.erasures import erasures
from services.auth.heads import audit_heads
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
    with closing(Passwords(settings.auth_hashing_threads, settings.auth_hashing_queue)) as passwords:
        async with (
            database(settings, "auth") as db,
            relay(db, settings) as relay_,
            encryption(settings) as encryption_,
            consumer(db, settings, handlers(settings)) as consumer_,
            kyc_expiry(db, settings.auth_kyc_expiry_seconds) as expiry,
            revocations(settings) as (revoked, revocations_),
        ):
            issuing = Issuing.of(settings, encryption_.guard)
            keys = _own_keys(db, issuing)
            await keys()
            mailing, terms, every = Mailing.of(settings), Terms.of(settings), settings.auth_privacy_seconds
            async with (
                audit_heads(db, issuing, settings.auth_audit_head_seconds) as heads,
                data_exports(db, encryption_, mailing, terms, every) as exports,
                erasures(db, Erasing(encryption_, issuing, mailing, terms), every) as erasures_,
            ):
                tokens = TokenVerifier(keys, settings.token_issuer, settings.token_audience, revoked)
                probes = (relay_, consumer_, expiry, heads, exports, erasures_, revocations_)
                http = http_app(
                    "auth", settings, routers=[api.router], db=db, tokens=tokens, probes=probes, limits=settings.limits
                )
                http.state.parts = Parts(
                    passwords,
                    issuing,
                    mailing,
                    Lockout.of(settings),
                    Authorizing.of(settings),
                    encryption_,
                    timedelta(days=settings.auth_kyc_valid_days),
                    terms,
                )
                yield Service("auth", http, probes)
