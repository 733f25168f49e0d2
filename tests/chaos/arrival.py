"""How do people come to a site? They register, get accounts and strategies; one of them may tell bars."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random
from uuid import UUID

import httpx2

from libs.kit.db import database
from libs.kit.ids import uuid7
from services.auth.commands.staff import grant_role
from services.auth.model import PlatformRole
from services.auth.settings import Settings as AuthSettings
from tests.chaos.client import Client, Refused
from tests.chaos.crowd import SYMBOLS, WORKSPACES, Crowd, Trader
from tests.chaos.probe import PROBE, Prober
from tests.chaos.site import Site
from tests.proved import prove_address
from tests.second_factor import Json, log_in_as_staff
from tests.world import PATIENCE_SECONDS

_WITH_STRATEGY = 5
_PASSWORD = "correct horse battery staple"
_FEED = "feed@example.com"
_INITIAL_CASH = "10000000"


@asynccontextmanager
async def people(site: Site, rng: Random) -> AsyncIterator[tuple[Crowd, Prober]]:
    """A crowd that is ready to work on a fresh site, and a prober with an account of its own."""
    limits = httpx2.Limits(max_connections=100, max_keepalive_connections=100)
    async with httpx2.AsyncClient(base_url=site.url, trust_env=False, limits=limits, timeout=PATIENCE_SECONDS) as http:
        client = Client(http, site.failures)
        crowd = Crowd(client, await _open_feed(site, client), chance=rng)
        tokens = [await _register(client, f"{uuid7()}@example.com") for _ in range(WORKSPACES + 1)]
        # What they may do is known everywhere once their registration has gone round.
        await site.until_quiet()
        traders = [await _open_account(client, token) for token in tokens]
        crowd.traders, prober = traders[:-1], traders[-1]
        for trader in crowd.traders[:_WITH_STRATEGY]:
            await _start_strategy(client, trader)
        await crowd.tell_history((*SYMBOLS, PROBE))
        await site.until_quiet()
        yield crowd, Prober(site, crowd, prober)


async def _open_feed(site: Site, client: Client) -> str:
    await _register(client, _FEED)
    async with database(site.where.settings(AuthSettings), "auth") as db:
        await prove_address(db, _FEED)
        async with db.work() as tx:
            await grant_role(tx, _FEED, PlatformRole.ADMIN)
    token = await _log_in_as_feed(client)
    for symbol in (*SYMBOLS, PROBE):
        await client.post("/v1/instruments", {"symbol": symbol, "name": symbol, "currency": "USD"}, token)
    return token


async def _register(client: Client, email: str) -> str:
    # Without a key, the repetition of one that was done finds the address taken.
    with suppress(Refused):
        await client.post("/v1/auth/register", {"email": email, "password": _PASSWORD})
    return await log_in(client, email)


async def _log_in_as_feed(client: Client) -> str:
    """A token that may write market data: with a second factor, as staff have to have one."""

    async def ask(path: str, body: Json, token: str) -> Json:
        return dict((await client.post(path, body, token)).document)

    tokens = await log_in_as_staff(ask, _FEED, _PASSWORD)
    return str(tokens["access_token"])


async def log_in(client: Client, email: str) -> str:
    """A fresh token."""
    answer = await client.post("/v1/auth/login", {"email": email, "password": _PASSWORD})
    return answer.document["access_token"]


async def _open_account(client: Client, token: str) -> Trader:
    account = {"name": "chaos", "initial_cash": _INITIAL_CASH, "auto_trading": True}
    answer = await client.post("/v1/accounts", account, token, str(uuid7()))
    return Trader(token, UUID(answer.document["id"]))


async def _start_strategy(client: Client, trader: Trader) -> None:
    strategy = {
        "name": "crossing", "symbol": SYMBOLS[0], "timeframe": "1m", "size": "2",
        "parameters": {"kind": "sma_cross", "fast": 2, "slow": 5},
    }  # fmt: skip
    await client.post("/v1/strategies", strategy, trader.token)
