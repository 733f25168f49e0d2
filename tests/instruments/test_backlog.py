"""A backlog is honest, and it is told when a consumer has worked it off."""

from __future__ import annotations

from fillstream.contexts import load
from libs.schema.marketdata import BarClosed
from tests.instruments.backlog import is_any_behind, pile_up, until_caught_up
from tests.proof.invariants import check
from tests.world import PATIENCE_SECONDS, World


async def test_a_backlog_is_told_as_its_context_would_have_told_it(world: World) -> None:
    backlog = await pile_up(world.settings, 400)
    assert backlog.events == 400
    told = await world.expect(BarClosed, 400)
    assert len({envelope.subject for envelope in told}) == 40
    broken = {violation.invariant for violation in await check(world.settings)}
    # Nobody runs: what is missing is that it is taken.
    assert broken == {"every_subscribed_event_was_taken", "consumers_have_no_lag"}


async def test_one_who_has_not_consumed_a_backlog_is_behind_until_it_has(world: World) -> None:
    backlog = await pile_up(world.settings, 200)
    assert await is_any_behind(world.settings, ["orders"], backlog.topic)
    async with world.running("orders"):
        await until_caught_up(world.settings, ["orders"], backlog.topic, PATIENCE_SECONDS)
        assert not await is_any_behind(world.settings, ["orders"], backlog.topic)
        assert [row[0] for row in await world.fetch("SELECT count(*) FROM orders.inbox")] == [200]
    listeners = [name for name in ("portfolio", "signals") if BarClosed in load(name).listens_to()]
    assert await is_any_behind(world.settings, ["orders", *listeners], backlog.topic)
