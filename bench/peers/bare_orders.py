"""Who takes orders with nothing around it? One FastAPI route that inserts an order and an outbox row with asyncpg.

No token, tenant, limits, check of buying power, or lock: what is left when all that an order is worth is taken away.
`python -m bench.peers.bare_orders`, with servers and port in the environment.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

import asyncpg
from fastapi import FastAPI, Request
from pydantic import BaseModel

from fillstream.cli.shell import run
from fillstream.serve import bind, listening, stopping_on_signals
from libs.kit.ids import uuid7
from libs.kit.outbox import Statement
from libs.kit.settings import Settings

_ORDER = """
    INSERT INTO orders."order" (id, tenant_id, account_id, client_order_id, symbol, side, order_type, time_in_force,
                                quantity, limit_price, reference_price, status, cumulative_quantity, commission,
                                submitted_at, version)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, 'NEW', 0, 0, $11, 1)
"""
_EVENT = """
    INSERT INTO orders.outbox (event_id, topic, key, type, tenant_id, subject, sequence, occurred_at, recorded_at,
                               correlation_id, data)
    VALUES ($1, 'orders.v1', $2, 'orders.OrderAccepted.v1', $3, $4, 1, $5, $5, $1, $6)
"""


class OrderIn(BaseModel):
    """An order to insert."""

    account_id: UUID
    symbol: str
    side: Literal["BUY", "SELL"]
    order_type: Literal["MARKET", "LIMIT"]
    quantity: Decimal
    limit_price: Decimal | None = None
    time_in_force: Literal["DAY", "GTC"] = "DAY"


class OrderOut(OrderIn):
    """An order that was inserted."""

    id: UUID
    status: str
    submitted_at: datetime


app = FastAPI()


@app.get("/readyz")
async def ready() -> str:
    """It answers."""
    return "ok"


async def insert(run: Statement, body: OrderIn, tenant_id: UUID) -> OrderOut:
    """Insert an order and its event, in the transaction that `run` is of."""
    placed = OrderOut(id=uuid7(), status="NEW", submitted_at=datetime.now(UTC), **body.model_dump())
    await run(
        _ORDER, placed.id, tenant_id, placed.account_id, str(placed.id), placed.symbol, placed.side,
        placed.order_type, placed.time_in_force, placed.quantity, placed.limit_price, placed.submitted_at,
    )  # fmt: skip
    await run(
        _EVENT, uuid7(), str(placed.account_id), tenant_id, placed.id, placed.submitted_at, placed.model_dump_json()
    )
    return placed


@app.post("/v1/orders", status_code=201)
async def place(body: OrderIn, request: Request) -> OrderOut:
    """Insert an order and its event."""
    pool: asyncpg.Pool[asyncpg.Record] = request.app.state.pool
    async with pool.acquire() as connection, connection.transaction():
        return await insert(connection.execute, body, body.account_id)


async def _serve() -> None:
    settings = Settings()
    url = settings.database_url.get_secret_value()
    async with asyncpg.create_pool(
        url, min_size=settings.database_pool_size, max_size=settings.database_pool_size
    ) as app.state.pool:
        stopped = asyncio.Event()
        async with listening(app, bind("127.0.0.1", settings.http_port)), stopping_on_signals(stopped):
            await stopped.wait()


if __name__ == "__main__":
    run(_serve())
