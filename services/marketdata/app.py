"""How is it wired? Database, relay, consumer and the HTTP app."""

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
from services.marketdata import api
from services.marketdata.consumers import handlers
from services.marketdata.settings import Settings


@asynccontextmanager
async def service(settings: Settings) -> AsyncIterator[Service]:
    """The context at work."""
    async with (
        database(settings, "marketdata") as db,
        relay(db, settings) as relay_,
        consumer(db, settings, handlers(settings)) as consumer_,
        revocations(settings) as (revoked, revocations_),
        token_verifier(settings, revoked) as tokens,
    ):
        probes = (relay_, consumer_, revocations_)
        http = http_app("marketdata", settings, routers=[api.router], db=db, tokens=tokens, probes=probes)
        http.state.bar_skew = settings.bar_skew
        yield Service("marketdata", http, probes)
