"""A plan that allows fewer strategies than are at work lets the oldest go on, and nobody gets round it."""

from __future__ import annotations

import asyncio

from libs.kit.ids import uuid7
from libs.schema.signals import SignalGenerated, StrategyChanged
from tests.signals.builders import a_bar, a_strategy, allowed, closes
from tests.signals.conftest import Workspace
from tests.world import World


async def is_allowed(workspace: Workspace, strategies: int, plan: str) -> None:
    """Billing says what the plan allows from now on."""
    event = allowed(workspace.id, strategies=strategies, plan=plan)
    await workspace.world.publish(event, tenant_id=workspace.id, subject=workspace.id)
    await workspace.world.settled("signals")


async def statuses(workspace: Workspace) -> list[str]:
    """How the strategies stand, the oldest first."""
    return [item["status"] for item in (await workspace.client.get("/v1/strategies")).json()["items"]]


async def test_after_a_downgrade_the_oldest_strategies_go_on_and_the_others_are_paused_and_told(
    workspace: Workspace, world: World
) -> None:
    oldest, *others = [await workspace.creates(name=name) for name in ("one", "two", "three")]
    await workspace.sees(a_bar(10))
    await is_allowed(workspace, 1, "Free")

    assert await statuses(workspace) == ["ACTIVE", "PAUSED", "PAUSED"]
    paused = [told for told in await world.expect(StrategyChanged, 5) if told.event.status == "PAUSED"]
    assert sorted(str(told.subject) for told in paused) == sorted(others)
    assert {(told.event.reason, told.tenant_id, told.sequence) for told in paused} == {
        ("strategy-limit-reached", workspace.id, 2)
    }
    assert all(told.cause.causation_id is not None for told in paused)
    await workspace.sees(a_bar(11, day=1))
    (signal,) = await world.expect(SignalGenerated, 1)
    assert str(signal.event.strategy_id) == oldest


async def test_paused_strategies_take_no_place_of_those_at_work(workspace: Workspace) -> None:
    first, _ = await workspace.creates(name="one"), await workspace.creates(name="two")
    await workspace.client.post(f"/v1/strategies/{first}/pause")
    await is_allowed(workspace, 1, "Free")

    assert await statuses(workspace) == ["PAUSED", "ACTIVE"]


async def test_resuming_does_not_go_round_the_limit(workspace: Workspace, world: World) -> None:
    first, second = await workspace.creates(name="one"), await workspace.creates(name="two")
    await is_allowed(workspace, 1, "Free")

    refused = await workspace.client.post(f"/v1/strategies/{second}/resume")
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:fillstream:problem:strategy-limit-reached")
    assert "1 are at work: pause one or change the plan" in refused.json()["detail"]
    assert (await workspace.client.post(f"/v1/strategies/{first}/pause")).status_code == 200
    assert (await workspace.client.post(f"/v1/strategies/{second}/resume")).status_code == 200
    assert await statuses(workspace) == ["PAUSED", "ACTIVE"]
    await world.expect(StrategyChanged, 5)


async def test_resuming_many_at_once_does_not_pass_the_limit(workspace: Workspace) -> None:
    ids = [await workspace.creates(name=str(number)) for number in range(5)]
    for id_ in ids:
        await workspace.client.post(f"/v1/strategies/{id_}/pause")
    await is_allowed(workspace, 2, "Free")

    answers = await asyncio.gather(*(workspace.client.post(f"/v1/strategies/{id_}/resume") for id_ in ids))
    assert sorted(answer.status_code for answer in answers) == [200] * 2 + [403] * 3


async def test_an_upgrade_resumes_nothing_by_itself(workspace: Workspace, world: World) -> None:
    _, second = await workspace.creates(name="one"), await workspace.creates(name="two")
    await is_allowed(workspace, 1, "Free")
    await is_allowed(workspace, 10, "Pro")

    assert await statuses(workspace) == ["ACTIVE", "PAUSED"]
    assert (await workspace.client.post(f"/v1/strategies/{second}/resume")).status_code == 200
    await workspace.sees(*closes(10, 11))
    await world.expect(SignalGenerated, 2)


async def test_a_downgrade_touches_no_other_workspace(workspace: Workspace, world: World) -> None:
    other = uuid7()
    await world.publish(allowed(other), tenant_id=other, subject=other)
    await world.settled("signals")
    client = await workspace.running.client(other)
    for _ in range(2):
        await client.post("/v1/strategies", json=a_strategy())
    await is_allowed(workspace, 0, "Free")

    assert [item["status"] for item in (await client.get("/v1/strategies")).json()["items"]] == ["ACTIVE", "ACTIVE"]
