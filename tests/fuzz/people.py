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
from services.auth.commands import grant_admin

_FEED = "feed"
_TRADERS = ("ada", "ben")
_SYMBOLS = ("AAPL", "MSFT")
_DAYS = ("2011-03-01", "2011-03-02", "2011-03-03")

Json = dict[str, Any]


@dataclass(frozen=True)
class Person:
    """Somebody with a workspace, a token for all that they may do, and things by the names that fields give them."""

    name: str
    token: str = field(repr=False)
    known: Mapping[str, Sequence[str]]


async def prepare_people(client: httpx2.AsyncClient, where: Installation, in_flight: InFlight) -> list[Person]:
    """The feed first, then those who trade, and an order of each; all settled."""
    tokens = {name: await _registered(client, where, name) for name in (_FEED, *_TRADERS)}
    await in_flight.wait_until_none()
    await _market(client, tokens[_FEED])
    await in_flight.wait_until_none()
    people = [await _with_things(client, name, token) for name, token in tokens.items()]
    await in_flight.wait_until_none()
    return people


async def _registered(client: httpx2.AsyncClient, where: Installation, name: str) -> str:
    credentials = {"email": f"{name}@example.com", "password": secrets.token_urlsafe(24)}
    await _made(client, "/v1/auth/register", credentials)
    if name == _FEED:
        async with database(where.of(load("auth")), "auth") as db, db.work() as tx:
            await grant_admin(tx, credentials["email"])
    return str((await _made(client, "/v1/auth/login", credentials))["access_token"])


async def _market(client: httpx2.AsyncClient, token: str) -> None:
    for symbol in _SYMBOLS:
        await _made(client, "/v1/instruments", {"symbol": symbol, "name": symbol}, token)
    bars = [
        {
            "symbol": symbol, "timeframe": "1d", "open_time": f"{day}T00:00:00Z",
            "open": "100.00", "high": "110.00", "low": "90.00", "close": "105.00", "volume": "1000",
        }
        for symbol in _SYMBOLS
        for day in _DAYS
    ]  # fmt: skip
    await _made(client, "/v1/bars", {"bars": bars}, token)


async def _with_things(client: httpx2.AsyncClient, name: str, token: str) -> Person:
    account = await _made(client, "/v1/accounts", {"name": name, "initial_cash": "1000000.00"}, token)
    order = {"account_id": account["id"], "symbol": _SYMBOLS[0], "side": "BUY", "order_type": "MARKET", "quantity": "1"}
    rule = {"kind": "sma_cross", "fast": 1, "slow": 2}
    strategy = {"name": name, "symbol": _SYMBOLS[0], "size": "1", "parameters": rule}
    known = {
        "account_id": [account["id"]],
        "symbol": _SYMBOLS,
        "order_id": [(await _made(client, "/v1/orders", order, token))["id"]],
        "strategy_id": [(await _made(client, "/v1/strategies", strategy, token))["id"]],
    }
    return Person(name, token, known)


async def _made(client: httpx2.AsyncClient, path: str, body: Json, token: str = "") -> Json:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = (await client.post(path, json=body, headers=headers)).raise_for_status()
    document: Json = answer.json()
    return document
