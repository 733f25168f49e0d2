"""What bad deliveries, outages and curious callers change: nothing."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from libs.kit.errors import Conflict
from libs.kit.ids import uuid7
from libs.schema.billing import EntitlementsChanged, SubscriptionStarted, SubscriptionStatus
from services.billing import commands
from services.billing.model import Plan, Subscription
from tests.billing.builders import NOON, a_registration, free, pro
from tests.world import Running, World, eventually

TRIAL = timedelta(days=3_650)


async def test_a_redelivered_registration_starts_one_trial(billing: Running, world: World, workspace: UUID) -> None:
    row = world.envelope(a_registration(workspace), tenant_id=workspace, subject=workspace)
    await world.send(row, row)
    await world.settled("billing")
    await world.send(row)
    await world.settled("billing")

    await world.expect(SubscriptionStarted, 1)
    await world.expect(EntitlementsChanged, 1)


async def test_a_workspace_that_is_told_of_twice_starts_one_trial(
    billing: Running, world: World, workspace: UUID
) -> None:
    rows = [
        world.envelope(a_registration(workspace, NOON + timedelta(days=n)), tenant_id=workspace, subject=workspace)
        for n in range(3)
    ]
    await world.send(*rows)
    await world.settled("billing")

    (started,) = await world.expect(SubscriptionStarted, 1)
    assert started.event.current_period_start == NOON
    assert started.cause.causation_id == rows[0].event_id
    assert await world.fetch("SELECT * FROM billing.dead_letter") == []


async def test_a_trial_has_days_of_24_hours_also_when_clocks_change(world: World, workspace: UUID) -> None:
    # In California clocks go forward on 8 March 2026.
    registered = datetime.fromisoformat("2026-03-01T23:30:00-08:00")
    ends = datetime.fromisoformat("2026-03-16T07:30:00Z")
    assert (ends - registered).total_seconds() == 14 * 86_400

    async with world.running("billing") as billing:
        await world.publish(a_registration(workspace, registered), tenant_id=workspace, subject=workspace)
        await world.settled("billing")
        shown = (await (await billing.client(workspace)).get("/v1/subscription")).json()
        async with billing.db.work() as tx:
            before = await commands.expire_trials(tx, ends - timedelta(microseconds=1))
            then = await commands.expire_trials(tx, ends)

    assert shown["trial_ends_at"] == "2026-03-16T07:30:00Z"
    assert (before, then) == (0, 1)


async def test_after_its_trial_a_workspace_gets_no_second_one(billing: Running, world: World, workspace: UUID) -> None:
    await world.publish(a_registration(workspace), tenant_id=workspace, subject=workspace)
    await world.settled("billing")
    async with billing.db.work() as tx:
        await commands.expire_trials(tx, NOON + TRIAL)

    await world.publish(a_registration(workspace), tenant_id=workspace, subject=workspace)
    await world.settled("billing")

    await world.expect(SubscriptionStarted, 1)
    assert [e.event.plan for e in await world.expect(EntitlementsChanged, 2)] == ["Pro", "Free"]
    assert await world.fetch("SELECT * FROM billing.dead_letter") == []


async def test_many_registrations_at_once_start_a_trial_each(billing: Running, world: World) -> None:
    workspaces = [uuid7() for _ in range(100)]
    rows = [world.envelope(a_registration(w), tenant_id=w, subject=w) for w in workspaces]
    await asyncio.gather(*(world.send(row) for row in rows))

    told = await world.expect(EntitlementsChanged, 100)

    assert {envelope.event.workspace_id for envelope in told} == set(workspaces)
    assert all((e.tenant_id, e.sequence) == (e.event.workspace_id, 2) for e in told)
    causes = {row.tenant_id: row.event_id for row in rows}
    assert all(e.cause.causation_id == causes[e.tenant_id] for e in told)


async def test_two_replicas_end_a_trial_once(billing: Running, world: World) -> None:
    for workspace in [uuid7() for _ in range(20)]:
        await world.publish(a_registration(workspace), tenant_id=workspace, subject=workspace)
    await world.settled("billing")

    async def expire() -> int:
        async with billing.db.work() as tx:
            return await commands.expire_trials(tx, NOON + TRIAL)

    ended = await asyncio.gather(*(expire() for _ in range(4)))

    assert sum(ended) == 20
    assert [e.event.plan for e in await world.expect(EntitlementsChanged, 40)].count("Free") == 20


async def test_the_end_of_trials_survives_an_outage(world: World, workspace: UUID) -> None:
    async with world.running("billing", billing_trial_days=3_650, billing_expiry_seconds=0.05) as billing:
        await world.publish(a_registration(workspace), tenant_id=workspace, subject=workspace)
        await world.settled("billing")
        async with billing.db.work() as blocking:
            await blocking.fetch("LOCK TABLE subscription IN ACCESS EXCLUSIVE MODE")
            first = await eventually(lambda: waiting_backend(world))
            await world.fetch("SELECT pg_terminate_backend($1)", first)
            assert await eventually(lambda: waiting_backend(world, other_than=first))
            await blocking.fetch("UPDATE subscription SET trial_ends_at = $1", NOON)

        told = await world.expect(EntitlementsChanged, 2)
        ready = await (await billing.anonymous()).get("/readyz")

    assert [envelope.event for envelope in told] == [pro(workspace, NOON), free(workspace, NOON)]
    assert ready.status_code == 200, ready.text


async def waiting_backend(world: World, other_than: int = 0) -> int:
    rows = await world.fetch(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
        "AND query LIKE '%FROM billing.subscription%' AND pid <> $1",
        other_than,
    )
    assert rows, "nobody waits for the subscriptions"
    return int(rows[0]["pid"])


async def test_a_workspace_sees_its_own_subscription_alone(billing: Running, world: World, workspace: UUID) -> None:
    await world.publish(a_registration(workspace), tenant_id=workspace, subject=workspace)
    await world.settled("billing")
    stranger = await billing.client(uuid7())

    assert (await stranger.get("/v1/subscription")).status_code == 404
    assert (await stranger.get("/v1/entitlements")).json()["plan"] == "Free"
    async with billing.db.transaction(uuid7()) as tx:
        assert await tx.fetch("SELECT * FROM subscription") == []


@pytest.mark.parametrize("path", ["/v1/plans", "/v1/subscription", "/v1/entitlements"])
async def test_nothing_is_told_without_the_scope(billing: Running, workspace: UUID, path: str) -> None:
    assert (await (await billing.anonymous()).get(path)).status_code == 401
    assert (await (await billing.client(workspace, ("orders:read",))).get(path)).status_code == 403


def test_a_trial_ends_once_and_not_before_its_time() -> None:
    fallback = Plan(name="Free", max_strategies=1, auto_trading=False)
    trial = Subscription(tenant_id=uuid7(), status=SubscriptionStatus.TRIAL, trial_ends_at=NOON)

    with pytest.raises(Conflict):
        trial.end_trial(fallback, NOON - timedelta(microseconds=1))
    assert trial.end_trial(fallback, NOON + timedelta(days=1)) == [free(trial.tenant_id, NOON)]
    with pytest.raises(Conflict):
        trial.end_trial(fallback, NOON)
