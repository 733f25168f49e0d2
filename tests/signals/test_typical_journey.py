"""A strategy is made, follows its instrument's bars, signals, is paused and resumed, and is deleted."""

from __future__ import annotations

from decimal import Decimal

from libs.schema.signals import BacktestCompleted, SignalGenerated, StrategyChanged
from libs.schema.values import SignalType, Timeframe
from services.signals.backtest import Leg, run
from tests.signals.builders import a_backtest, a_bar, closed, closes, rule
from tests.signals.conftest import Workspace
from tests.world import World


async def test_a_strategy_tells_of_its_life_and_of_every_change_of_stance(workspace: Workspace, world: World) -> None:
    strategy_id = await workspace.creates(
        parameters={"kind": "donchian", "entry": 2, "exit": 1, "stop_loss_pct": "10", "take_profit_pct": "20"}
    )
    bars = closes(10, 11, 12, 9, "9.5")
    await workspace.sees(*bars)

    (created,) = await world.expect(StrategyChanged, 1)
    assert str(created.subject) == strategy_id
    assert (created.tenant_id, created.sequence) == (workspace.id, 1)
    assert (created.event.kind, created.event.symbol, created.event.status) == ("donchian", "AAPL", "ACTIVE")
    buy, reversal, cover = await world.expect(SignalGenerated, 3)
    assert [envelope.sequence for envelope in (buy, reversal, cover)] == [2, 3, 4]
    assert {envelope.tenant_id for envelope in (buy, reversal, cover)} == {workspace.id}
    event = buy.event
    assert (event.signal_type, event.quantity, event.target_position) == (SignalType.BUY, 100, 100)
    assert (event.strategy_name, event.symbol, event.timeframe) == ("breakout", "AAPL", Timeframe.D1)
    assert (event.entry_price, event.stop_loss, event.target_price) == (12, Decimal("10.8"), Decimal("14.4"))
    assert event.occurred_at == bars[2].close_time
    assert event.valid_until is not None
    assert (event.valid_until - event.occurred_at).days == 7
    assert event.indicators == {"upper": 11, "lower": 10}
    assert event.confidence == 1
    assert [(e.event.signal_type, e.event.quantity) for e in (reversal, cover)] == [
        (SignalType.SHORT, 200),
        (SignalType.COVER, 100),
    ]


async def test_a_signal_follows_from_the_bar_that_caused_it(workspace: Workspace, world: World) -> None:
    await workspace.creates()
    await workspace.sees(a_bar(10))
    cause = world.envelope(closed(a_bar(11, day=1)))
    await world.send(cause)

    (signal,) = await world.expect(SignalGenerated, 1)
    assert signal.cause.causation_id == cause.event_id
    assert signal.cause.correlation_id == cause.correlation_id
    rows = await world.fetch("SELECT caused_by FROM signals.signal")
    assert [row["caused_by"] for row in rows] == [cause.event_id]


async def test_strategies_are_listed_in_pages_and_show_where_they_stand(workspace: Workspace) -> None:
    made = [await workspace.creates(name=name) for name in ("one", "two", "three")]
    await workspace.creates(name="other", symbol="IBM")
    await workspace.sees(*closes(10, 11))

    params: dict[str, str | int] = {"limit": 2, "symbol": "AAPL"}
    first = (await workspace.client.get("/v1/strategies", params=params)).json()
    second = (await workspace.client.get("/v1/strategies", params=params | {"cursor": first["next_cursor"]})).json()
    assert [item["id"] for item in first["items"] + second["items"]] == made
    assert second["next_cursor"] is None
    one = (await workspace.client.get(f"/v1/strategies/{made[0]}")).json()
    assert one == first["items"][0]
    assert (one["status"], one["stance"], one["last_bar_time"]) == ("ACTIVE", "LONG", "2011-03-08T00:00:00Z")
    assert (one["size"], one["timeframe"]) == ("100", "1d")
    assert one["parameters"] == {
        "kind": "donchian",
        "entry": 1,
        "exit": 1,
        "allow_short": True,
        "stop_loss_pct": None,
        "take_profit_pct": None,
    }


async def test_signals_are_listed_the_newest_first_and_filtered(workspace: Workspace) -> None:
    strategy_id = await workspace.creates()
    await workspace.creates(name="calm", parameters={"kind": "sma_cross", "fast": 1, "slow": 2})
    await workspace.sees(*closes(10, 11, 9, 12))

    params: dict[str, str | int] = {"limit": 2, "strategy_id": strategy_id}
    first = (await workspace.client.get("/v1/signals", params=params)).json()
    second = (await workspace.client.get("/v1/signals", params=params | {"cursor": first["next_cursor"]})).json()
    assert [signal["signal_type"] for signal in first["items"] + second["items"]] == ["BUY", "SHORT", "BUY"]
    assert [signal["quantity"] for signal in first["items"]] == ["200", "200"]
    newest = first["items"][0]
    assert (newest["entry_price"], newest["occurred_at"]) == ("12.00", "2011-03-11T00:00:00Z")
    assert newest["indicators"] == {"upper": "9", "lower": "9"}

    async def found(**chosen: str) -> list[str]:
        answer = (await workspace.client.get("/v1/signals", params=chosen)).json()
        return [f"{signal['strategy_name']} {signal['signal_type']}" for signal in answer["items"]]

    assert await found(signal_type="SHORT") == ["breakout SHORT"]
    assert await found(symbol="IBM") == []
    assert sorted(await found(start="2011-03-10T00:00:00Z", end="2011-03-11T00:00:00Z")) == ["breakout SHORT"]
    assert sorted(await found(start="2011-03-11T00:00:00Z")) == ["breakout BUY", "calm BUY"]


async def test_signals_of_one_moment_are_read_in_pages_without_loss(workspace: Workspace) -> None:
    for number in range(3):
        await workspace.creates(name=f"s{number}")
    await workspace.sees(*closes(10, 11, 9))

    seen: list[str] = []
    params: dict[str, str | int] = {"limit": 1}
    while True:
        answer = (await workspace.client.get("/v1/signals", params=params)).json()
        seen += [f"{signal['occurred_at']} {signal['id']}" for signal in answer["items"]]
        if answer["next_cursor"] is None:
            break
        params["cursor"] = answer["next_cursor"]
    assert len(seen) == 6
    assert seen == sorted(seen, reverse=True)


async def test_a_paused_strategy_sees_no_bars_and_goes_on_as_if_they_had_never_been(
    workspace: Workspace, world: World
) -> None:
    strategy_id = await workspace.creates()
    await workspace.sees(*closes(10, 11))
    paused = await workspace.client.post(f"/v1/strategies/{strategy_id}/pause")
    assert (paused.status_code, paused.json()["status"]) == (200, "PAUSED")
    await workspace.sees(a_bar(5, day=2), a_bar(4, day=3))
    resumed = await workspace.client.post(f"/v1/strategies/{strategy_id}/resume")
    assert (resumed.json()["status"], resumed.json()["stance"]) == ("ACTIVE", "LONG")
    # 10.5 is above the paused days' 4, but below the 11 of the last day that it saw.
    await workspace.sees(a_bar("10.5", day=4))

    buy, short = await world.expect(SignalGenerated, 2)
    assert short.event.indicators == {"upper": 11, "lower": 11}
    changes = await world.expect(StrategyChanged, 3)
    assert [change.event.status for change in changes] == ["ACTIVE", "PAUSED", "ACTIVE"]
    assert [e.sequence for e in (changes[0], buy, changes[1], changes[2], short)] == [1, 2, 3, 4, 5]


async def test_a_deleted_strategy_is_gone_and_its_signals_stay(workspace: Workspace, world: World) -> None:
    strategy_id = await workspace.creates()
    await workspace.sees(*closes(10, 11))

    assert (await workspace.client.delete(f"/v1/strategies/{strategy_id}")).status_code == 204
    await workspace.sees(a_bar(5, day=2))

    await world.expect(SignalGenerated, 1)
    assert [e.event.status for e in await world.expect(StrategyChanged, 2)] == ["ACTIVE", "DELETED"]
    assert (await workspace.client.get(f"/v1/strategies/{strategy_id}")).status_code == 404
    assert (await workspace.client.get("/v1/strategies")).json()["items"] == []
    assert len((await workspace.client.get("/v1/signals")).json()["items"]) == 1


async def test_a_backtest_runs_over_the_bars_that_were_seen(workspace: Workspace, world: World) -> None:
    bars = [a_bar(10), a_bar(12, day=1), a_bar("12.50", day=2, open_="12.345"), a_bar(8, day=3), a_bar(9, day=4)]
    await workspace.sees(*bars)

    answer = await workspace.client.post(
        "/v1/backtests",
        json=a_backtest(end="2011-03-11T00:00:00Z"),
    )

    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["start_time"], told["end_time"]) == ("2011-03-07T00:00:00Z", "2011-03-11T00:00:00Z")
    expected = run(
        [Leg("AAPL", rule("donchian", entry=1, exit=1), Decimal(100))],
        {"AAPL": bars[:4]},
        Decimal(100_000),
        Decimal("0.001"),
    )
    assert told["report"]["trades"] == [
        {
            "symbol": "AAPL",
            "side": "BUY",
            "quantity": "100",
            "price": "12.345",
            "fee": "1.23",
            "time": "2011-03-09T00:00:00Z",
            "realised_pnl": None,
        }
    ]
    assert [order["side"] for order in told["report"]["open_orders"]] == ["SELL"]
    assert Decimal(told["report"]["equity"]) == expected.equity == Decimal("99564.27")
    assert told["report"]["metrics"]["total_trades"] == 0
    assert told["report"]["metrics"]["total_return"] == "-0.0043573"
    (completed,) = await world.expect(BacktestCompleted, 1)
    assert str(completed.event.backtest_id) == told["id"] == str(completed.subject)
    assert (completed.event.trades, completed.event.total_return) == (1, Decimal("-0.0043573"))
    assert (await workspace.client.get(f"/v1/backtests/{told['id']}")).json() == told
