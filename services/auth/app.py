"""How is it wired? Database, relay, consumer, tasks that look at the clock, and the HTTP app, which checks tokens itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from joserfc.jwk import KeySet

from libs.kit.consumer import consumer
from libs.kit.crypto.encryption import Encryption, encryption
from libs.kit.db import Database, database
from libs.kit.health import Probe
from libs.kit.http.app import http_app
from libs.kit.relay import relay
from libs.kit.revocations import revocations
from libs.kit.security import KeySource, TokenVerifier
from libs.kit.service import Service
from services.auth import api
from services.auth.api.parts import Parts
from services.auth.commands.erasures import Erasing
from services.auth.commands.leftovers import Memory
from services.auth.commands.logins import Lockout
from services.auth.commands.mails import Mailing
from services.auth.commands.privacy_terms import Terms
from services.auth.commands.proofs import Proving
from services.auth.commands.second_step import Entrance
from services.auth.commands.signing_keys import public_keys
from services.auth.commands.workspaces import Hosting
from services.auth.consumers import handlers
from services.auth.data_exports import data_exports
from services.auth.device_codes import Authorizing
from services.auth.erasures import erasures
from services.auth.forgetting import forgetting
from services.auth.hashing import Cost
from services.auth.heads import audit_heads
from services.auth.kyc_expiry import kyc_expiry
from services.auth.passkeys import RelyingParty
from services.auth.passwords import Passwords
from services.auth.program_keys import KeyRules
from services.auth.settings import Settings
from services.auth.tokens import Issuing


def _own_keys(db: Database, issuing: Issuing) -> KeySource:
    async def read() -> KeySet:
        async with db.public() as tx:
            return KeySet.import_key_set({"keys": [dict(key) for key in await public_keys(tx, issuing)]})

    return read


def _relying_party(settings: Settings) -> RelyingParty:
    return RelyingParty(settings.auth_passkey_rp_id, settings.auth_display_name, settings.auth_passkey_origins)


@asynccontextmanager
async def _tasks(db: Database, parts: Parts, settings: Settings) -> AsyncIterator[tuple[Probe, ...]]:
    """What looks at the clock."""
    every, erasing = settings.auth_privacy_seconds, Erasing(parts.encryption, parts.issuing, parts.mailing, parts.terms)
    async with (
        kyc_expiry(db, settings.auth_kyc_expiry_seconds) as expiry,
        forgetting(db, Memory.of(settings), settings.auth_forgetting_seconds) as forgetting_,
        audit_heads(db, parts.issuing, settings.auth_audit_head_seconds) as heads,
        data_exports(db, parts.encryption, parts.terms, every) as exports,
        erasures(db, erasing, every) as erasures_,
    ):
        yield expiry, forgetting_, heads, exports, erasures_


def _parts(settings: Settings, passwords: Passwords, issuing: Issuing, encryption_: Encryption) -> Parts:
    mailing, lockout = Mailing.of(settings), Lockout.of(settings)
    return Parts(
        passwords=passwords,
        issuing=issuing,
        mailing=mailing,
        lockout=lockout,
        authorizing=Authorizing.of(settings),
        encryption=encryption_,
        kyc_holds_for=timedelta(days=settings.auth_kyc_valid_days),
        hosting=Hosting.of(settings),
        entrance=Entrance(issuing, lockout, Proving(encryption_, _relying_party(settings), mailing)),
        display_name=settings.auth_display_name,
        key_rules=KeyRules.of(settings),
        longest_support=timedelta(days=settings.auth_support_days),
        terms=Terms.of(settings),
    )


@asynccontextmanager
async def service(settings: Settings) -> AsyncIterator[Service]:
    """The context at work. Raises KeyTrouble when the key-encryption key does not open the signing key.

    And ValueError when passkeys could not be used where the settings say.
    """
    passwords = Passwords(settings.auth_hashing_processes, settings.auth_hashing_queue, Cost.of(settings))
    async with (
        database(settings, "auth") as db,
        relay(db, settings) as relay_,
        encryption(settings) as encryption_,
        consumer(db, settings, handlers(settings)) as consumer_,
        revocations(settings) as (revoked, revocations_),
    ):
        issuing = Issuing.of(settings, encryption_.guard)
        keys = _own_keys(db, issuing)
        await keys()
        parts = _parts(settings, passwords, issuing, encryption_)
        async with _tasks(db, parts, settings) as tasks:
            tokens = TokenVerifier(keys, settings.issuer, settings.token_audience, revoked)
            probes = (relay_, consumer_, *tasks, revocations_)
            http = http_app(
                "auth", settings, routers=[api.router], db=db, tokens=tokens, probes=probes, limits=settings.limits
            )
            http.state.parts = parts
            yield Service("auth", http, probes)
