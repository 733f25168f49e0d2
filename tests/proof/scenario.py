"""What does a small but whole run look like? Two workspaces trade by signal and by hand, one goes, and one key is dead."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from fillstream.demo.tenant import Tenant
from fillstream.embedded.stack import Endpoints
from fillstream.installation import Installation
from fillstream.replay import replay_in_lockstep
from libs.kit.acts import Origin
from libs.kit.db import database
from libs.kit.kafka import producer
from libs.kit.settings import Settings
from libs.schema.values import Timeframe
from services.auth.commands.erasures import request_erasure
from services.auth.repository import users
from services.marketdata import commands
from services.marketdata.model import Bar
from tests.fillstream.builders import SMALL_WORKSPACES, House, a_house, a_walk, an_installation, no_step, together
from tests.world import eventually

_BY_HAND = "MSFT"
_DEAD = "DEAD"
"""The instrument of which a record can't be read, so that its bars are parked."""


@asynccontextmanager
async def a_finished_run(stack: Endpoints, template: str) -> AsyncIterator[Installation]:
    """An installation at rest, whose services have stopped."""
    async with an_installation(stack, template) as made:
        # So often that heads of audit trails are told while people trade, and somebody who goes is gone.
        where = made.with_values(auth_audit_head_seconds=0.2, auth_privacy_seconds=0.2)
        async with a_house(where, SMALL_WORKSPACES, ("AAPL", "IBM", _BY_HAND, _DEAD)) as house:
            bars = together(a_walk("AAPL", 30), a_walk("IBM", 30))
            await replay_in_lockstep(house.marketdata, house.in_flight, bars, no_step)
            await _trade_by_hand(house, house.tenants[0])
            await _run_a_backtest(house.tenants[0])
            await _erase_somebody(house)
            await _break_a_key(house)
        yield where


async def _trade_by_hand(house: House, tenant: Tenant) -> None:
    """Orders that fill, expire, are withdrawn, are denied and stay open."""
    await _close(house, _a_bar(_BY_HAND, -2))
    await _place(tenant, quantity="3")
    await _place(tenant, quantity="1", order_type="LIMIT", limit_price="1.00", time_in_force="DAY")
    await _place(tenant, quantity="7", order_type="LIMIT", limit_price="1.25", time_in_force="GTC")
    await _place(tenant, quantity="1000000")
    withdrawn = await _place(tenant, quantity="2", order_type="LIMIT", limit_price="1.50", time_in_force="GTC")
    await _post(tenant, f"/v1/orders/{withdrawn['id']}/cancel", {})
    await _close(house, _a_bar(_BY_HAND, 1), _a_bar(_BY_HAND, 2))


async def _place(tenant: Tenant, **changes: str) -> dict[str, str]:
    order = {"account_id": str(tenant.account_id), "symbol": _BY_HAND, "side": "BUY", "order_type": "MARKET"}
    return await _post(tenant, "/v1/orders", order | changes)


async def _run_a_backtest(tenant: Tenant) -> None:
    parameters = {"kind": "sma_cross", "fast": 2, "slow": 5}
    await _post(tenant, "/v1/backtests", {"symbol": "AAPL", "size": "1", "parameters": parameters})


async def _post(tenant: Tenant, path: str, body: object) -> dict[str, str]:
    answer = await tenant.client.post(path, json=body, headers={"Authorization": f"Bearer {tenant.token}"})
    assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
    return answer.json()


async def _erase_somebody(house: House) -> None:
    """A third person comes, and is erased without a time to think again."""
    who = {"email": "third@example.com", "password": "correct horse battery staple"}
    user_id = UUID((await house.client.post("/v1/auth/register", json=who)).raise_for_status().json()["user_id"])
    await house.in_flight.wait_until_none()
    settings = house.where.settings(Settings)
    async with database(settings, "auth") as db, db.work() as tx:
        home_id = (await users.get(tx, user_id)).default_workspace_id
        await request_erasure(tx, home_id, user_id, timedelta(0), Origin())
    await _reach(house, user_id, "CLOSED")
    await _reach(house, user_id, "CERTIFIED")


async def _reach(house: House, user_id: UUID, state: str) -> None:
    """Let the time of the next step come, and wait until it is done."""
    await house.fetch("UPDATE auth.erasure SET next_at = now() WHERE user_id = $1", user_id)

    async def reached() -> None:
        [row] = await house.fetch("SELECT state FROM auth.erasure WHERE user_id = $1", user_id)
        assert row[0] == state

    await eventually(reached)
    await house.in_flight.wait_until_none()


async def _break_a_key(house: House) -> None:
    """Nobody can read the record, so that the bars behind it are parked."""
    settings = house.where.settings(Settings)
    async with producer(settings.kafka, "poison") as client:
        await client.send_and_wait(f"{settings.kafka_prefix}bars.v1", b"poison", _DEAD.encode())
    await house.in_flight.wait_until_none()
    await _close(house, _a_bar(_DEAD, 1), _a_bar(_DEAD, 2))


async def _close(house: House, *bars: Bar) -> None:
    # Orders by hand have the time of the clock, so the bars that fill them are yet to come.
    ahead = timedelta(days=30)
    async with house.marketdata.public() as tx:
        await commands.record_bars(tx, bars, ahead)
    await house.in_flight.wait_until_none()


def _a_bar(symbol: str, days_ahead: int) -> Bar:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    prices = (Decimal("10.10"), Decimal("11.00"), Decimal("9.50"), Decimal("10.75"))
    return Bar(symbol, Timeframe.D1, midnight + timedelta(days=days_ahead), *prices, Decimal(1_000))
