"""What nonsense over HTTP meets: a problem that names the field, and nothing is made."""

from __future__ import annotations

from httpx2 import Response

from libs.schema.signals import BacktestCompleted, StrategyChanged
from tests.signals.builders import a_backtest, a_strategy, closes
from tests.signals.conftest import Workspace
from tests.world import World


def named_by(answer: Response) -> list[str]:
    """The fields that a refusal names."""
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return [error["pointer"] for error in answer.json()["errors"]]


CROSS = {"kind": "sma_cross", "fast": 2, "slow": 4}


BAD_STRATEGIES: list[tuple[dict[str, object], str]] = [
    ({"parameters": CROSS | {"slow": 1}}, "/parameters/slow"),
    ({"parameters": CROSS | {"fast": "2"}}, "/parameters/fast"),
    ({"parameters": CROSS | {"fast": 2.5}}, "/parameters/fast"),
    ({"parameters": CROSS | {"colour": "red"}}, "/parameters/colour"),
    ({"parameters": CROSS | {"stop_loss_pct": "100"}}, "/parameters/stop_loss_pct"),
    ({"parameters": {"kind": "rsi_reversion", "period": 14, "buy_below": "30"}}, "/parameters/sell_above"),
    ({"parameters": {"kind": "martingale"}}, "/parameters"),
    ({"parameters": {}}, "/parameters"),
    ({"parameters": None}, "/parameters"),
    ({"parameters": []}, "/parameters"),
    ({"symbol": "aapl; DROP"}, "/symbol"),
    ({"timeframe": "7m"}, "/timeframe"),
    ({"size": "-1"}, "/size"),
    ({"size": "0"}, "/size"),
    ({"size": "NaN"}, "/size"),
    ({"size": "1" * 30}, "/size"),
    ({"size": "1000000001"}, "/size"),
    ({"size": 1.5}, "/size"),
    ({"name": ""}, "/name"),
    ({"name": "x" * 101}, "/name"),
    ({"name": "\u0000"}, "/name"),
    ({"description": "a\nb\u0000"}, "/description"),
    ({"status": "DELETED"}, "/status"),
]


async def test_a_bad_field_is_named_and_no_strategy_is_made(workspace: Workspace, world: World) -> None:
    answers = [
        await workspace.client.post("/v1/strategies", json=a_strategy(**changes)) for changes, _ in BAD_STRATEGIES
    ]

    assert [named_by(answer) for answer in answers] == [[pointer] for _, pointer in BAD_STRATEGIES]
    assert (await workspace.client.get("/v1/strategies")).json()["items"] == []
    await world.expect(StrategyChanged, 0)


BAD_QUERIES: list[tuple[str, dict[str, str], str]] = [
    ("/v1/strategies", {"limit": "1000000000"}, "limit"),
    ("/v1/strategies", {"cursor": "%%%"}, "cursor"),
    ("/v1/strategies", {"status": "SLEEPING"}, "status"),
    ("/v1/strategies/7", {}, "strategy_id"),
    ("/v1/signals", {"strategy_id": "x"}, "strategy_id"),
    ("/v1/signals", {"signal_type": "HOLD"}, "signal_type"),
    ("/v1/signals", {"start": "yesterday"}, "start"),
    ("/v1/signals", {"end": "2011-03-01T00:00:00"}, "end"),
    ("/v1/signals", {"symbol": "'"}, "symbol"),
]


async def test_a_bad_query_parameter_is_named(workspace: Workspace) -> None:
    answers = [await workspace.client.get(path, params=params) for path, params, _ in BAD_QUERIES]

    assert [named_by(answer) for answer in answers] == [[pointer] for *_, pointer in BAD_QUERIES]


BAD_BACKTESTS: list[tuple[dict[str, object], str]] = [
    ({"symbol": "ZZZZ"}, "/symbol"),
    ({"start": "2012-01-01T00:00:00Z"}, "/symbol"),
    ({"parameters": CROSS | {"slow": 1}}, "/parameters/slow"),
    ({"initial_cash": "0"}, "/initial_cash"),
    ({"initial_cash": "Infinity"}, "/initial_cash"),
    ({"commission_rate": "1.01"}, "/commission_rate"),
    ({"commission_rate": "0.000000001"}, "/commission_rate"),
    ({"start": "yesterday"}, "/start"),
    ({"colour": "red"}, "/colour"),
]


async def test_a_backtest_that_makes_no_sense_is_refused(workspace: Workspace, world: World) -> None:
    await workspace.sees(*closes(10, 11))
    answers = [await workspace.client.post("/v1/backtests", json=a_backtest(**changes)) for changes, _ in BAD_BACKTESTS]

    assert [named_by(answer) for answer in answers] == [[pointer] for _, pointer in BAD_BACKTESTS]
    await world.expect(BacktestCompleted, 0)


async def test_a_token_without_the_scope_is_refused(workspace: Workspace) -> None:
    anonymous = await workspace.running.anonymous()
    for method, path, scope in [
        ("GET", "/v1/strategies", "signals:read"),
        ("POST", "/v1/strategies", "strategies:read"),
        ("GET", "/v1/signals", "strategies:read"),
        ("POST", "/v1/backtests", "strategies:read"),
    ]:
        client = await workspace.running.client(workspace.id, (scope,))
        assert (await client.request(method, path)).status_code == 403
        assert (await anonymous.request(method, path)).status_code == 401
