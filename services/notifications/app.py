"""How is it wired? Database, relay, consumer, streams, the mailer and the HTTP app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.kit.consumer import consumer
from libs.kit.db import Database, database
from libs.kit.health import Probe
from libs.kit.http.app import http_app
from libs.kit.relay import relay
from libs.kit.revocations import revocations
from libs.kit.security import token_verifier
from libs.kit.service import Service
from services.notifications import api
from services.notifications.consumers import handlers
from services.notifications.letters import Stationery
from services.notifications.mailer import mailer
from services.notifications.post import post
from services.notifications.settings import Settings
from services.notifications.streams import streams


@asynccontextmanager
async def _mailer(db: Database, settings: Settings) -> AsyncIterator[tuple[Probe, ...]]:
    """Who sends mails, where it is said where to."""
    if settings.notifications_mail_url is None:
        yield ()
        return
    how = Stationery(settings.notifications_mail_sender, settings.notifications_mail_link, settings.mail_token_secret)
    every = settings.notifications_mail_seconds
    async with mailer(db, post(settings.notifications_mail_url), how, every) as probe:
        yield (probe,)


@asynccontextmanager
async def service(settings: Settings) -> AsyncIterator[Service]:
    """The context at work."""
    async with (
        database(settings, "notifications") as db,
        relay(db, settings) as relay_,
        consumer(db, settings, handlers(settings)) as consumer_,
        streams(db, settings) as (streams_, waker),
        _mailer(db, settings) as mailers,
        revocations(settings) as (revoked, revocations_),
        token_verifier(settings, revoked) as tokens,
    ):
        probes = (relay_, consumer_, waker, *mailers, revocations_)
        http = http_app("notifications", settings, routers=[api.router], db=db, tokens=tokens, probes=probes)
        http.state.streams = streams_
        yield Service("notifications", http, probes, drain=streams_.close)
