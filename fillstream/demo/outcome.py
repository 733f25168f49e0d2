"""What came of it? Each workspace's figures, as its owner reads them from the API."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from fillstream.demo.tenant import Tenant


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution, in the words of the JSON document."""

    symbol: str
    side: str
    quantity: str
    price: str
    fee: str
    time: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The figures of one workspace; money as strings."""

    trades: list[Fill]
    fees: str
    realised_pnl: str
    unrealised_pnl: str
    equity: str
    total_return: str | None
    sharpe: str | None
    max_drawdown: str | None
    signals: int
    orders: int
    fills: int


@dataclass(frozen=True, slots=True)
class Result:
    """A workspace's figures and its equity at every close."""

    outcome: Outcome
    history: list[Decimal]


async def read_result(tenant: Tenant) -> Result:
    """Ask the API."""
    portfolio = await tenant.get("/v1/portfolio")
    performance = await tenant.get("/v1/portfolio/performance")
    trades = sorted(
        [_fill(item) async for item in tenant.every("/v1/fills")], key=lambda fill: (fill.time, fill.symbol)
    )
    outcome = Outcome(
        trades=trades,
        fees=portfolio["fees"],
        realised_pnl=portfolio["realised_pnl"],
        unrealised_pnl=portfolio["unrealised_pnl"],
        equity=portfolio["equity"],
        total_return=performance["total_return"],
        sharpe=performance["sharpe"],
        max_drawdown=performance["max_drawdown"],
        signals=await tenant.count("/v1/signals"),
        orders=await tenant.count("/v1/orders"),
        fills=len(trades),
    )
    return Result(outcome, [Decimal(point["equity"]) async for point in tenant.every("/v1/portfolio/history")])


def _fill(item: dict[str, Any]) -> Fill:
    figures = (item["last_quantity"], item["last_price"], item["commission"])
    return Fill(item["symbol"], item["side"], *figures, item["executed_at"])
