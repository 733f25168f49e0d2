"""Other contexts' events, with sensible defaults, and a client that reads an event stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import uvicorn
from httpx2 import AsyncClient

from libs.kit.ids import uuid7
from libs.schema.auth import UserRegistered
from libs.schema.orders import OrderDenied, OrderExpired, OrderFilled
from libs.schema.signals import SignalGenerated
from tests.world import PATIENCE_SECONDS, Running, eventually

WHEN = datetime(2011, 3, 2, 14, 30, tzinfo=UTC)


def an_order() -> dict[str, Any]:
    return {
        "occurred_at": WHEN, "order_id": uuid7(), "client_order_id": "c-1", "account_id": uuid7(), "symbol": "AAPL",
        "side": "BUY", "quantity": "100",
    }  # fmt: skip


def a_fill(**changes: object) -> OrderFilled:
    fields = an_order() | {
        "fill_id": uuid7(), "last_quantity": "100", "last_price": "353.5", "commission": "35.35", "currency": "USD",
        "cumulative_quantity": "100", "leaves_quantity": "0", "average_price": "353.5",
    }  # fmt: skip
    return OrderFilled.model_validate(fields | changes)


def a_denial(**changes: object) -> OrderDenied:
    fields = an_order() | {"reason": "insufficient-buying-power", "detail": "needs 35,350.00 USD, has 12.34 USD"}
    return OrderDenied.model_validate(fields | changes)


def an_expiry(**changes: object) -> OrderExpired:
    return OrderExpired.model_validate(an_order() | {"cumulative_quantity": "40"} | changes)


def a_signal(**changes: object) -> SignalGenerated:
    fields = {
        "occurred_at": WHEN, "signal_id": uuid7(), "strategy_id": uuid7(), "strategy_name": "trend", "symbol": "AAPL",
        "timeframe": "1d", "signal_type": "BUY", "quantity": "100", "target_position": "100", "confidence": "0.75",
        "entry_price": "353.5", "indicators": {"fast": "1.5"},
    }  # fmt: skip
    return SignalGenerated.model_validate(fields | changes)


def a_registration(workspace_id: UUID, **changes: object) -> UserRegistered:
    fields = {"occurred_at": WHEN, "user_id": uuid7(), "workspace_id": workspace_id, "email": "ada@example.org"}
    return UserRegistered.model_validate(fields | changes)


@dataclass
class Listener:
    """Reads an event stream line by line, as a browser would."""

    lines: AsyncIterator[str]

    async def block(self) -> dict[str, str]:
        """The next block: its fields, a comment as `comment`."""
        fields: dict[str, str] = {}
        async for line in self.lines:
            if not line:
                return fields
            name, _, value = line.partition(":")
            fields[name or "comment"] = value.strip()
        raise EOFError

    async def notification(self) -> tuple[str, dict[str, Any]]:
        """The next notification and its id."""
        while True:
            block = await asyncio.wait_for(self.block(), PATIENCE_SECONDS)
            if block.get("event") == "notification":
                return block["id"], json.loads(block["data"])


@asynccontextmanager
async def listening(
    client: AsyncClient, url: str, last_event_id: str | None = None, **params: str
) -> AsyncIterator[Listener]:
    """An open stream that has begun."""
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    address = f"{url}/v1/notifications/stream"
    async with client.stream("GET", address, headers=headers, params=params) as answer:
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/event-stream")
        listener = Listener(answer.aiter_lines())
        assert (await listener.block())["comment"] == "connected"
        yield listener


@asynccontextmanager
async def served(running: Running) -> AsyncIterator[str]:
    """The service behind a real server on a free loopback port; stopped as a process would: drained, then waited for."""
    config = uvicorn.Config(
        running.service.http, host="127.0.0.1", port=0, log_config=None, lifespan="off", timeout_graceful_shutdown=10
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())

    async def started() -> None:
        assert server.started

    await eventually(started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        running.service.drain()
        server.should_exit = True
        await task
