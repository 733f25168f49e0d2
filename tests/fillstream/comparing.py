"""What two runs have to have in common, free of the ids that each gives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from tests.fillstream.builders import House


@dataclass(frozen=True, order=True)
class Filled:
    """A fill."""

    time: datetime
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal


@dataclass(frozen=True, order=True)
class Point:
    """What an account was worth at a close."""

    time: datetime
    cash: Decimal
    equity: Decimal


async def fills_of(house: House) -> dict[str, list[Filled]]:
    """The fills of each workspace in the order of time."""
    sql = (
        "SELECT executed_at, symbol, side, last_quantity, last_price, commission FROM orders.fill WHERE tenant_id = $1"
    )
    return {one.workspace.name: sorted(Filled(*row) for row in await house.fetch(sql, one.id)) for one in house.tenants}


async def points_of(house: House) -> dict[str, list[Point]]:
    """The equity of each workspace in the order of time."""
    sql = "SELECT as_of, cash, equity FROM portfolio.equity_point WHERE tenant_id = $1"
    return {one.workspace.name: sorted(Point(*row) for row in await house.fetch(sql, one.id)) for one in house.tenants}
