"""How does a person of the demo act? Over HTTP alone, with a token of their own."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2

from fillstream.demo.workspaces import INITIAL_CASH, Workspace
from libs.kit.errors import FillstreamError
from libs.schema.values import plain, plain_money
from services.signals.rules import PARAMETERS


class DemoFailed(FillstreamError):
    """The demo met an answer that it did not expect."""


@dataclass(frozen=True)
class Tenant:
    """A registered person with a workspace, a paper account and strategies."""

    workspace: Workspace
    id: UUID
    account_id: UUID
    token: str
    client: httpx2.AsyncClient

    async def get(self, path: str, **params: str) -> dict[str, Any]:
        """One answer."""
        return _checked(await self.client.get(path, params=params, headers=_bearer(self.token)))

    async def every(self, path: str) -> AsyncIterator[dict[str, Any]]:
        """Every item of a list, page by page."""
        params = {"limit": "500"}
        while True:
            page = await self.get(path, **params)
            for item in page["items"]:
                yield item
            if page["next_cursor"] is None:
                return
            params["cursor"] = page["next_cursor"]

    async def count(self, path: str) -> int:
        """How many items a list has."""
        return len([item async for item in self.every(path)])


@dataclass(frozen=True)
class Registration:
    """A person who has just registered."""

    workspace: Workspace
    id: UUID
    token: str


async def register(client: httpx2.AsyncClient, workspace: Workspace) -> Registration:
    """Register and log in. Raises DemoFailed."""
    person = {"email": f"{workspace.name}@example.com", "password": secrets.token_urlsafe(24)}
    _checked(await client.post("/v1/auth/register", json=person | {"workspace_name": workspace.name}))
    session = _checked(await client.post("/v1/auth/login", json=person))
    return Registration(workspace, UUID(session["workspace_id"]), session["access_token"])


async def open_for_trading(client: httpx2.AsyncClient, person: Registration) -> Tenant:
    """Open the paper account and start the strategies. Raises DemoFailed."""
    workspace, headers = person.workspace, _bearer(person.token)
    account = {
        "name": workspace.name, "currency": "USD", "initial_cash": plain_money(INITIAL_CASH), "auto_trading": True,
    }  # fmt: skip
    opened = _checked(
        await client.post("/v1/accounts", json=account, headers=headers | {"Idempotency-Key": workspace.name})
    )
    for leg in workspace.legs:
        strategy = {
            "name": f"{workspace.name} {leg.symbol}",
            "symbol": leg.symbol,
            "timeframe": "1d",
            "size": plain(leg.size),
            "parameters": PARAMETERS.dump_python(leg.parameters, mode="json"),
        }
        _checked(await client.post("/v1/strategies", json=strategy, headers=headers))
    return Tenant(workspace, person.id, UUID(opened["id"]), person.token, client)


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _checked(answer: httpx2.Response) -> dict[str, Any]:
    if answer.is_error:
        raise DemoFailed(
            f"{answer.request.method} {answer.request.url.path} answered {answer.status_code}: {answer.text}"
        )
    document: dict[str, Any] = answer.json()
    return document
