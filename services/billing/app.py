"""How is it wired? Database, relay, consumer, the end of trials, and the HTTP app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.kit.consumer import consumer
from libs.kit.db import database
from libs.kit.http.app import http_app
from libs.kit.relay import relay
from libs.kit.revocations import revocations
from libs.kit.security import token_verifier
from libs.kit.service import Service
from services.billing import api
from services.billing.consumers import handlers
from services.billing.expiry import trial_expiry
from services.billing.settings import Settings


@asynccontextmanager
async def service(settings: Settings) -> AsyncIterator[Service]:
    """The context at work."""
    async with (
        database(settings, "billing") as db,
        relay(db, settings) as relay_,
        consumer(db, settings, handlers(settings)) as consumer_,
        trial_expiry(db, settings.billing_expiry_seconds) as expiry,
        revocations(settings) as (revoked, revocations_),
        token_verifier(settings, revoked) as tokens,
    ):
        probes = (relay_, consumer_, expiry, revocations_)
        http = http_app("billing", settings, routers=[api.router], db=db, tokens=tokens, probes=probes)
        yield Service("billing", http, probes)
