"""What strategies meet besides good bars: limits, strangers, repetitions, disorder and nonsense."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

from libs.kit.ids import uuid7
from libs.schema.event import Cause
from libs.schema.signals import SignalGenerated, StrategyChanged
from libs.schema.values import Timeframe
from services.signals import commands
from services.signals.model import Entitlements, ToldEntitlements
from tests.signals.builders import MONDAY, a_backtest, a_bar, a_strategy, allowed, closed, closes, decisions, rule
from tests.signals.conftest import Workspace
from tests.world import World, eventually


async def test_a_redelivered_bar_signals_once(workspace: Workspace, world: World) -> None:
    await workspace.creates()
    first, second = (world.envelope(closed(bar)) for bar in closes(10, 11))
    await world.send(first, second, second, first, second)
    await world.settled("signals")

    await world.expect(SignalGenerated, 1)
    assert len(await world.fetch("SELECT FROM signals.signal")) == 1


async def test_the_same_bar_told_by_another_event_is_not_looked_at_again(workspace: Workspace, world: World) -> None:
    await workspace.creates()
    await workspace.sees(*closes(10, 11))
    await workspace.sees(*closes(10, 11))

    await world.expect(SignalGenerated, 1)
    assert len(await world.fetch("SELECT FROM signals.bar")) == 2


async def test_a_late_bar_is_ignored(workspace: Workspace, world: World) -> None:
    await workspace.creates()
    await workspace.sees(a_bar(10, day=0), a_bar(10, day=5), a_bar(99, day=3))

    await world.expect(SignalGenerated, 0)


async def test_a_strategy_begins_with_the_first_bar_after_its_creation(workspace: Workspace, world: World) -> None:
    await workspace.sees(a_bar(10, day=0))
    await workspace.creates()
    await workspace.sees(a_bar(11, day=1), a_bar(12, day=2))

    (signal,) = await world.expect(SignalGenerated, 1)
    assert signal.event.occurred_at == a_bar(12, day=2).close_time


async def test_a_strategy_looks_at_its_own_instrument_and_timeframe_alone(workspace: Workspace, world: World) -> None:
    await workspace.creates()
    minute = [replace(bar, timeframe=Timeframe.M1) for bar in closes(10, 11)]
    await workspace.sees(*minute, *closes(10, 11, symbol="IBM"))
    await workspace.sees(*closes(10, 11))

    (signal,) = await world.expect(SignalGenerated, 1)
    assert (signal.event.symbol, signal.event.timeframe) == ("AAPL", Timeframe.D1)


async def test_one_bar_moves_the_strategies_of_every_workspace(workspace: Workspace, world: World) -> None:
    other = uuid7()
    await world.publish(allowed(other), tenant_id=other, subject=other)
    await world.settled("signals")
    client = await workspace.running.client(other)
    await client.post("/v1/strategies", json=a_strategy(size="7"))
    await workspace.creates()
    await workspace.sees(*closes(10, 11))

    signals = await world.expect(SignalGenerated, 2)
    assert {(e.tenant_id, e.event.quantity) for e in signals} == {(workspace.id, Decimal(100)), (other, Decimal(7))}


async def test_a_restart_in_the_middle_changes_nothing(world: World) -> None:
    prices = (10, 11, 12, 9, 8, 10, 12, 13, 11, 7, 9, 14)
    chosen = rule("sma_cross", fast=2, slow=4)
    bars = closes(*prices)
    tenant = uuid7()
    await world.publish(allowed(tenant), tenant_id=tenant, subject=tenant)
    async with world.running("signals") as running:
        await world.settled("signals")
        client = await running.client(tenant)
        await client.post("/v1/strategies", json=a_strategy(parameters={"kind": "sma_cross", "fast": 2, "slow": 4}))
        await world.send(*(world.envelope(closed(bar)) for bar in bars[:6]))
        await world.settled("signals")
    async with world.running("signals"):
        await world.send(*(world.envelope(closed(bar)) for bar in bars[6:]))
        await world.settled("signals")

    expected = decisions(chosen, bars)[1]
    told = await world.expect(SignalGenerated, len(expected))
    assert [(e.event.occurred_at, e.event.signal_type, e.event.indicators) for e in told] == [
        (decision.decided_at, decision.signal_type, decision.indicators) for decision in expected
    ]
    assert len(expected) >= 3


async def test_one_strategy_more_than_the_plan_allows_is_refused(workspace: Workspace, world: World) -> None:
    await world.publish(allowed(workspace.id, strategies=2, plan="Free"), tenant_id=workspace.id, subject=workspace.id)
    await world.settled("signals")
    first = await workspace.creates()
    await workspace.client.post(f"/v1/strategies/{first}/pause")
    await workspace.creates()

    refused = await workspace.client.post("/v1/strategies", json=a_strategy())
    assert refused.status_code == 403
    assert refused.json()["type"].endswith("strategy-limit-reached")
    assert "the plan Free allows 2 strategies" in refused.json()["detail"]
    await workspace.client.delete(f"/v1/strategies/{first}")
    await workspace.creates()
    await world.expect(StrategyChanged, 5)


async def test_creating_many_at_once_does_not_pass_the_limit(workspace: Workspace, world: World) -> None:
    await world.publish(allowed(workspace.id, strategies=3), tenant_id=workspace.id, subject=workspace.id)
    await world.settled("signals")

    answers = await asyncio.gather(*(workspace.client.post("/v1/strategies", json=a_strategy()) for _ in range(10)))

    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [403] * 7


async def test_an_older_word_of_billing_changes_nothing(workspace: Workspace, world: World) -> None:
    def word(strategies: int, sequence: int) -> ToldEntitlements:
        said = Entitlements(tenant_id=workspace.id, plan="Pro", max_strategies=strategies, sequence=sequence)
        return ToldEntitlements(said, MONDAY, Cause(uuid7()))

    async with workspace.running.db.work() as tx:
        await commands.note_entitlements(tx, [word(1, sequence=9), word(5, sequence=8)])
    late = world.envelope(allowed(workspace.id), tenant_id=workspace.id, subject=workspace.id, sequence=7)
    await world.send(late)
    await world.settled("signals")

    await workspace.creates()
    assert (await workspace.client.post("/v1/strategies", json=a_strategy())).status_code == 403


async def test_a_workspace_that_billing_has_not_told_of_is_asked_to_try_again(workspace: Workspace) -> None:
    client = await workspace.running.client(uuid7())
    answer = await client.post("/v1/strategies", json=a_strategy())
    assert (answer.status_code, answer.headers["retry-after"]) == (409, "1")
    assert answer.json()["type"].endswith("entitlements-unknown")


async def test_a_repeated_request_with_one_key_makes_one_strategy(workspace: Workspace, world: World) -> None:
    async def ask(**changes: object) -> tuple[int, object]:
        headers = {"Idempotency-Key": "mine"}
        answer = await workspace.client.post("/v1/strategies", json=a_strategy(**changes), headers=headers)
        return answer.status_code, answer.json().get("id")

    assert await ask() == await ask()
    assert (await ask(name="another"))[0] == 422
    await world.expect(StrategyChanged, 1)


async def test_another_workspaces_strategy_is_as_if_absent(workspace: Workspace, world: World) -> None:
    strategy_id = await workspace.creates()
    await workspace.sees(*closes(10, 11))
    stranger = await workspace.running.client(uuid7())

    unknown = [uuid7(), strategy_id]
    for path in [f"/v1/strategies/{id_}" for id_ in unknown]:
        answers = [
            await stranger.get(path),
            await stranger.post(f"{path}/pause"),
            await stranger.post(f"{path}/resume"),
            await stranger.delete(path),
        ]
        assert [answer.status_code for answer in answers] == [404] * 4
    assert (await stranger.get("/v1/strategies")).json()["items"] == []
    assert (await stranger.get("/v1/signals")).json()["items"] == []
    assert (await stranger.get("/v1/signals", params={"strategy_id": strategy_id})).json()["items"] == []
    await world.expect(StrategyChanged, 1)


async def test_another_workspaces_backtest_is_as_if_absent(workspace: Workspace) -> None:
    await workspace.sees(*closes(10, 11))
    made = (await workspace.client.post("/v1/backtests", json=a_backtest())).json()["id"]
    stranger = await workspace.running.client(uuid7())
    assert (await stranger.get(f"/v1/backtests/{made}")).status_code == 404


async def test_a_move_that_goes_nowhere_is_refused(workspace: Workspace, world: World) -> None:
    strategy_id = await workspace.creates()
    moves = ["resume", "pause", "pause", "resume", "resume"]
    answers = [await workspace.client.post(f"/v1/strategies/{strategy_id}/{move}") for move in moves]

    assert [answer.status_code for answer in answers] == [409, 200, 409, 200, 409]
    await world.expect(StrategyChanged, 3)


async def test_a_backtest_with_the_largest_numbers_still_answers(workspace: Workspace) -> None:
    highest = "999999999999.99999999"
    await workspace.sees(*closes("0.00000001", "0.00000002", highest, "0.00000003", highest, highest))
    huge = a_backtest(size="1000000000", initial_cash="100000000000")

    answer = await workspace.client.post("/v1/backtests", json=huge)
    assert answer.status_code == 201, answer.text
    refused = (await workspace.client.post("/v1/backtests", json=huge | {"initial_cash": "1"})).json()["report"]
    assert (refused["trades"], {one["reason"] for one in refused["refused_orders"]}) == (
        [],
        {"insufficient-buying-power"},
    )
    # Short from next to nothing, and then the price of the world.
    await workspace.sees(*closes("0.00000002", "0.00000001", "0.00000001", highest, symbol="IBM"))
    ruinous = a_backtest(symbol="IBM", size="90000000", initial_cash="1")
    out_of_proportion = await workspace.client.post("/v1/backtests", json=ruinous)
    assert (out_of_proportion.status_code, out_of_proportion.json()["errors"][0]["pointer"]) == (422, "/size")


async def test_the_largest_numbers_on_the_bus_make_signals(workspace: Workspace, world: World) -> None:
    await workspace.creates(
        size="1000000000",
        parameters={"kind": "donchian", "entry": 1, "exit": 1, "stop_loss_pct": "99.9", "take_profit_pct": "99.9"},
    )
    await workspace.sees(*closes("0.00000001", "999999999999.99999999", "0.00000001"))

    signals = await world.expect(SignalGenerated, 2)
    assert [e.event.quantity for e in signals] == [10**9, 2 * 10**9]


async def test_a_bar_that_is_no_bar_stops_nobody_else(workspace: Workspace, world: World) -> None:
    await workspace.creates()
    good = [world.envelope(closed(bar)) for bar in closes(10, 11)]
    bad = world.envelope(closed(a_bar(1, symbol="IBM")))._replace(data='{"symbol": "IBM"}')
    await world.send(good[0], bad, good[1])

    await world.expect(SignalGenerated, 1)

    async def buried() -> None:
        rows = await world.fetch("SELECT state FROM signals.dead_letter")
        assert [row["state"] for row in rows] == ["dead"]

    await eventually(buried)
