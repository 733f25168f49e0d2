"""Who makes the calls? People of several workspaces, and one who may write market data, each with things to work on."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2

from fillstream.contexts import load
from fillstream.inflight import InFlight
from fillstream.installation import Installation
from libs.kit.db import database
from services.auth.commands.staff import grant_role
from services.auth.model import PlatformRole
from tests.proved import prove_address
from tests.second_factor import asking, log_in_as_staff

_FEED = "feed"
_TRADERS = ("ada", "ben")
_SYMBOLS = ("AAPL", "MSFT")
_DAYS = ("2090-03-01", "2090-03-02", "2090-03-03")

Json = dict[str, Any]


@dataclass(frozen=True)
class Person:
    """Somebody with a workspace, a token for all that they may do, and things by the names that fields give them."""

    name: str
    token: str = field(repr=False)
    known: Mapping[str, Sequence[str]] = field(repr=False)


async def prepare_people(client: httpx2.AsyncClient, where: Installation, in_flight: InFlight) -> list[Person]:
    """The feed first, then those who trade, each with an order that was filled; all settled."""
    logins = [await _registered(client, where, name) for name in (_FEED, *_TRADERS)]
    await in_flight.wait_until_none()
    feed = logins[0]
    for symbol in _SYMBOLS:
        await _made(client, "/v1/instruments", {"symbol": symbol, "name": symbol, "currency": "USD"}, feed.token)
    await in_flight.wait_until_none()
    people = [await _with_things(client, login) for login in logins]
    await in_flight.wait_until_none()
    await _made(client, "/v1/bars", {"bars": _bars()}, feed.token)
    await in_flight.wait_until_none()
    return people


@dataclass(frozen=True)
class _Login:
    name: str
    email: str
    password: str = field(repr=False)
    token: str = field(repr=False)
    workspace_id: str


async def _registered(client: httpx2.AsyncClient, where: Installation, name: str) -> _Login:
    email, password = f"{name}@example.com", secrets.token_urlsafe(24)
    credentials = {"email": email, "password": password}
    await _made(client, "/v1/auth/register", credentials)
    if name == _FEED:
        async with database(where.of(load("auth")), "auth") as db:
            await prove_address(db, email)
            async with db.work() as tx:
                await grant_role(tx, email, PlatformRole.ADMIN)
        session = await log_in_as_staff(asking(client), email, password)
    else:
        session = await _made(client, "/v1/auth/login", credentials)
    return _Login(name, email, password, session["access_token"], session["workspace_id"])


def _bars() -> list[Json]:
    """Bars that open after any order of today was placed, so that they fill it."""
    return [
        {
            "symbol": symbol, "timeframe": "1d", "open_time": f"{day}T00:00:00Z",
            "open": "100.00", "high": "110.00", "low": "90.00", "close": "105.00", "volume": "1000",
        }
        for symbol in _SYMBOLS
        for day in _DAYS
    ]  # fmt: skip


async def _with_things(client: httpx2.AsyncClient, login: _Login) -> Person:
    account_in = {"name": login.name, "initial_cash": "1000000.00", "auto_trading": True}
    account = await _made(client, "/v1/accounts", account_in, login.token)
    symbol = _SYMBOLS[0]
    order = {"account_id": account["id"], "symbol": symbol, "side": "BUY", "order_type": "MARKET", "quantity": "10"}
    rule = {"kind": "sma_cross", "fast": 1, "slow": 2}
    strategy = {"name": login.name, "symbol": symbol, "size": "1", "parameters": rule}
    known = {
        "email": [login.email],
        "password": [login.password],
        "workspace_id": [login.workspace_id],
        "account_id": [account["id"]],
        "symbol": _SYMBOLS,
        "order_id": [(await _made(client, "/v1/orders", order, login.token))["id"]],
        "strategy_id": [(await _made(client, "/v1/strategies", strategy, login.token))["id"]],
    }
    return Person(login.name, login.token, known)


async def _made(client: httpx2.AsyncClient, path: str, body: Json, token: str = "") -> Json:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = (await client.post(path, json=body, headers=headers)).raise_for_status()
    document: Json = answer.json()
    return document
