"""An account opens, trades and is marked; its positions, worth, history, performance and ledger tell the same story."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from uuid import UUID

import empyrical
import pandas as pd
import pytest
from httpx2 import AsyncClient

from libs.kit.ids import uuid7
from libs.schema.portfolio import PortfolioValued, PositionChanged
from libs.schema.values import Side
from tests.portfolio.builders import a_bar, a_fill, an_account
from tests.world import World

ACCOUNT = UUID("01890000-0000-7000-8000-000000000001")
TENANT = uuid7()


@pytest.fixture
async def reader(world: World) -> AsyncIterator[AsyncClient]:
    """Reads a workspace that bought 100 AAPL, sold 40 of them, and saw two closes."""
    async with world.running("portfolio") as running:
        await world.publish(an_account(ACCOUNT), tenant_id=TENANT)
        await world.settled("portfolio")
        for number, fill, bar in (
            (1, a_fill(ACCOUNT, 2, Side.BUY, "100", "101", commission="10.10"), a_bar(2, "105")),
            (2, a_fill(ACCOUNT, 3, Side.SELL, "40", "104", commission="4.16"), a_bar(3, "90.5")),
        ):
            await world.publish(fill, tenant_id=TENANT)
            await world.expect(PositionChanged, number)
            await world.publish(bar)
            await world.expect(PortfolioValued, number)
        yield await running.client(TENANT)


async def test_a_position_is_shown_at_its_last_close(reader: AsyncClient) -> None:
    expected = {
        "account_id": str(ACCOUNT), "symbol": "AAPL", "currency": "USD", "quantity": "60", "average_cost": "101.00",
        "cost_basis": "6060.00", "market_price": "90.50", "as_of": "2011-03-04T00:00:00Z", "market_value": "5430.00",
        "unrealised_pnl": "-630.00", "realised_pnl": "120.00", "fees": "14.26",
    }  # fmt: skip
    assert (await reader.get("/v1/positions")).json() == {"items": [expected], "next_cursor": None}
    assert (await reader.get("/v1/positions/AAPL")).json() == expected


async def test_the_portfolio_adds_up(reader: AsyncClient) -> None:
    assert (await reader.get("/v1/portfolio")).json() == {
        "account_id": str(ACCOUNT), "name": "Paper", "currency": "USD", "as_of": "2011-03-04T00:00:00Z",
        "total_value": "99475.74", "equity": "99475.74", "available_cash": "94045.74", "invested_amount": "6060.00",
        "market_value": "5430.00", "deposits": "100000.00", "realised_pnl": "120.00", "unrealised_pnl": "-630.00",
        "fees": "14.26",
    }  # fmt: skip


async def test_the_history_has_a_point_per_close(reader: AsyncClient) -> None:
    points = (await reader.get("/v1/portfolio/history")).json()["items"]
    assert points == [
        {"as_of": "2011-03-03T00:00:00Z", "cash": "89889.90", "market_value": "10500.00", "equity": "100389.90"},
        {"as_of": "2011-03-04T00:00:00Z", "cash": "94045.74", "market_value": "5430.00", "equity": "99475.74"},
    ]


async def test_the_history_is_read_in_pages(reader: AsyncClient) -> None:
    first = (await reader.get("/v1/portfolio/history", params={"limit": 1})).json()
    rest = (await reader.get("/v1/portfolio/history", params={"cursor": first["next_cursor"]})).json()
    assert [len(first["items"]), len(rest["items"]), rest["next_cursor"]] == [1, 1, None]


async def test_the_performance_is_measured_from_the_deposit_on(reader: AsyncClient) -> None:
    answer = (await reader.get("/v1/portfolio/performance")).json()
    returns = pd.Series([100000.00, 100389.90, 99475.74]).pct_change().dropna()
    assert float(answer["total_return"]) == pytest.approx(99475.74 / 100000 - 1)
    assert float(answer["sharpe"]) == pytest.approx(empyrical.sharpe_ratio(returns))
    assert float(answer["sortino"]) == pytest.approx(empyrical.sortino_ratio(returns))
    assert float(answer["volatility"]) == pytest.approx(empyrical.annual_volatility(returns))
    assert float(answer["max_drawdown"]) == pytest.approx(empyrical.max_drawdown(returns))
    assert [answer["points"], answer["start"], answer["end"]] == [2, "2011-03-03T00:00:00Z", "2011-03-04T00:00:00Z"]


async def test_the_ledger_tells_what_happened(reader: AsyncClient) -> None:
    entries = (await reader.get("/v1/ledger")).json()["items"]
    assert [(entry["kind"], entry["description"]) for entry in entries] == [
        ("deposit", "Deposited 100000.00 USD"),
        ("fill", "Bought 100 AAPL at 101.00 USD"),
        ("fill", "Sold 40 AAPL at 104.00 USD"),
    ]
    assert [(p["ledger_account"], p["amount"], p["symbol"], p["quantity"]) for p in entries[2]["postings"]] == [
        ("cash", "4155.84", None, None),
        ("positions", "-4040.00", "AAPL", "-40"),
        ("realised_pnl", "-120.00", None, None),
        ("commissions", "4.16", None, None),
    ]
    assert all(sum(Decimal(p["amount"]) for p in entry["postings"]) == 0 for entry in entries)


async def test_the_ledger_is_read_in_pages(reader: AsyncClient) -> None:
    first = (await reader.get("/v1/ledger", params={"limit": 1})).json()
    second = (await reader.get("/v1/ledger", params={"limit": 1, "cursor": first["next_cursor"]})).json()
    assert [entry["kind"] for entry in first["items"] + second["items"]] == ["deposit", "fill"]


async def test_the_world_hears_of_positions_and_worth(reader: AsyncClient, world: World) -> None:
    changed = await world.expect(PositionChanged, 2)
    assert [(e.event.quantity, e.event.average_cost, e.event.realised_pnl, e.event.fees) for e in changed] == [
        (Decimal(100), Decimal(101), Decimal(0), Decimal("10.10")),
        (Decimal(60), Decimal(101), Decimal(120), Decimal("14.26")),
    ]
    valued = await world.expect(PortfolioValued, 2)
    assert [(e.event.occurred_at.day, e.event.equity) for e in valued] == [
        (3, Decimal("100389.90")),
        (4, Decimal("99475.74")),
    ]
    told = sorted([*changed, *valued], key=lambda envelope: envelope.sequence)
    assert [envelope.sequence for envelope in told] == [1, 2, 3, 4]
    assert {(envelope.subject, envelope.tenant_id) for envelope in told} == {(ACCOUNT, TENANT)}
