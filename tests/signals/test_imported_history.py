"""What does imported history do to strategies? It warms them up; they decide from the first bar that closes after it."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from libs.schema.signals import SignalGenerated
from libs.schema.values import SignalType
from services.signals.rules import Bar, Parameters, Stance, start, step, warm_up
from tests.signals.builders import bar_series, closed, closes, parameters
from tests.signals.conftest import Workspace
from tests.world import World

CROSS = {"kind": "sma_cross", "fast": 1, "slow": 2}
RISING_TWICE = closes(10, 9, 12, 8, 7, 11, 10)


async def import_(workspace: Workspace, bars: Sequence[Bar]) -> None:
    history = (closed(bar).model_copy(update={"backfilled": True}) for bar in bars)
    await workspace.world.send(*(workspace.world.envelope(bar) for bar in history))
    await workspace.world.settled("signals")


async def test_a_strategy_decides_nothing_on_imported_history(workspace: Workspace, world: World) -> None:
    strategy_id = await workspace.creates(parameters=CROSS)
    await import_(workspace, RISING_TWICE)

    assert world.published(SignalGenerated) == []
    one = (await workspace.client.get(f"/v1/strategies/{strategy_id}")).json()
    assert (one["stance"], one["last_bar_time"]) == ("FLAT", "2011-03-13T00:00:00Z")


async def test_it_decides_on_the_first_bar_after_it_as_it_knows_the_history(workspace: Workspace, world: World) -> None:
    """The averages exist since the second bar: a strategy that had seen nothing could not decide on the eighth alone."""
    await workspace.creates(parameters=CROSS)
    await import_(workspace, RISING_TWICE)
    await workspace.sees(*closes(*(bar.close for bar in RISING_TWICE), 20)[-1:])

    [signal] = await world.expect(SignalGenerated, 1)
    assert (signal.event.signal_type, signal.event.quantity) == (SignalType.BUY, 100)


async def test_history_from_before_what_a_strategy_has_seen_changes_nothing(workspace: Workspace, world: World) -> None:
    strategy_id = await workspace.creates(parameters=CROSS)
    await workspace.sees(*RISING_TWICE[-1:])
    before = (await workspace.client.get(f"/v1/strategies/{strategy_id}")).json()
    await import_(workspace, RISING_TWICE[:-1])

    assert (await workspace.client.get(f"/v1/strategies/{strategy_id}")).json() == before


async def test_imported_history_can_be_backtested(workspace: Workspace) -> None:
    await import_(workspace, RISING_TWICE)
    wanted = {"symbol": "AAPL", "timeframe": "1d", "parameters": CROSS, "size": "1", "initial_cash": "1000"}
    answer = await workspace.client.post("/v1/backtests", json=wanted)
    assert answer.status_code == 201, answer.text


@given(parameters, bar_series())
def test_a_rule_knows_after_warming_up_what_it_knows_after_deciding(chosen: Parameters, bars: list[Bar]) -> None:
    """Its memory is that of the bars; only what it wants to hold is left to those that are news."""
    warmed, decided = start(chosen), start(chosen)
    for bar in bars:
        warmed, (decided, _) = warm_up(chosen, warmed, bar), step(chosen, decided, bar)
    assert warmed.memory == decided.memory
    assert warmed.stance is Stance.FLAT


@given(parameters, bar_series(), st.sampled_from(Stance))
def test_warming_up_leaves_what_is_held(chosen: Parameters, bars: list[Bar], held: Stance) -> None:
    state = start(chosen)
    state = type(state)(held, state.memory)
    for bar in bars:
        state = warm_up(chosen, state, bar)
    assert state.stance is held
