"""A bar that was wrong is replaced where it is kept; what was decided on it stands."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from libs.schema.signals import SignalGenerated
from libs.schema.values import plain
from services.signals.backtest import Leg, run
from tests.signals.builders import a_backtest, closed, closes, corrected, rule
from tests.signals.conftest import Workspace
from tests.world import World

BARS = closes(10, 11, 12, 11, 10, 12)
WRONG = replace(BARS[2], open=Decimal(120), high=Decimal(120), low=Decimal(120), close=Decimal(120))


async def test_a_backtest_runs_on_the_bar_as_it_was_corrected(workspace: Workspace) -> None:
    await workspace.sees(*BARS[:2], WRONG, *BARS[3:])
    world, draft = workspace.world, replace(WRONG, close=Decimal(121), high=Decimal(121))
    # Two corrections of one bar at once: the last one counts.
    await world.send(world.envelope(corrected(draft, WRONG)), world.envelope(corrected(BARS[2], draft)))
    await world.settled("signals")

    answer = await workspace.client.post("/v1/backtests", json=a_backtest())

    assert answer.status_code == 201, answer.text
    chosen = [Leg("AAPL", rule("donchian", entry=1, exit=1), Decimal(100))]
    expected = run(chosen, {"AAPL": BARS}, Decimal(100_000), Decimal("0.001"))
    spoiled = run(chosen, {"AAPL": [*BARS[:2], WRONG, *BARS[3:]]}, Decimal(100_000), Decimal("0.001"))
    assert Decimal(answer.json()["report"]["equity"]) == expected.equity != spoiled.equity


async def test_what_was_decided_on_a_wrong_bar_stands_and_nothing_is_decided_anew(
    workspace: Workspace, world: World
) -> None:
    await workspace.creates()
    await workspace.sees(*BARS[:2], WRONG)
    before = await world.expect(SignalGenerated, 1)

    await world.publish(corrected(BARS[2], WRONG))
    await world.settled("signals")

    assert [told.id for told in await world.expect(SignalGenerated, 1)] == [told.id for told in before]


async def test_a_bar_that_is_told_again_does_not_undo_its_correction(workspace: Workspace, world: World) -> None:
    first = world.envelope(closed(WRONG))
    await world.send(first, world.envelope(corrected(BARS[2], WRONG)), first, world.envelope(closed(WRONG)))
    await world.settled("signals")
    assert [row["close"] for row in await world.fetch("SELECT close FROM signals.bar")] == [12]


async def test_a_volume_is_copied_to_the_last_digit(workspace: Workspace, world: World) -> None:
    volume = Decimal("116204335871944.00000001")
    await workspace.sees(replace(BARS[0], volume=volume))
    [row] = await world.fetch("SELECT volume FROM signals.bar")
    assert plain(row["volume"]) == plain(volume)
