"""Somebody registers: their workspace tries Pro, and when the trial ends it falls back to Free."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from libs.schema.billing import EntitlementsChanged, SubscriptionStarted, SubscriptionStatus
from libs.schema.event import DomainEvent, Envelope
from services.billing import commands
from tests.billing.builders import NOON, a_registration, free, one_more, pro
from tests.world import Running, World

TRIAL = timedelta(days=3_650)


def told(envelope: Envelope[DomainEvent]) -> tuple[UUID | None, int, UUID | None]:
    return envelope.tenant_id, envelope.sequence, envelope.cause.causation_id


async def test_a_new_workspace_tries_pro(billing: Running, world: World, workspace: UUID) -> None:
    cause = await world.publish(a_registration(workspace), tenant_id=workspace, subject=workspace)

    (started,) = await world.expect(SubscriptionStarted, 1)
    (entitled,) = await world.expect(EntitlementsChanged, 1)
    assert started.event == SubscriptionStarted(
        occurred_at=NOON,
        subscription_id=started.subject,
        workspace_id=workspace,
        plan="Pro",
        status=SubscriptionStatus.TRIAL,
        current_period_start=NOON,
        current_period_end=NOON + TRIAL,
    )
    assert entitled.event == pro(workspace, NOON)
    assert [told(started), told(entitled)] == [(workspace, 1, cause), (workspace, 2, cause)]
    assert entitled.subject == started.subject


async def test_a_trial_lasts_fourteen_days(world: World, workspace: UUID) -> None:
    async with world.running("billing"):
        await world.publish(a_registration(workspace), tenant_id=workspace, subject=workspace)
        (started,) = await world.expect(SubscriptionStarted, 1)

    assert started.event.current_period_end - started.event.current_period_start == timedelta(days=14)


async def test_a_workspace_sees_what_it_has_and_may_do(billing: Running, world: World, workspace: UUID) -> None:
    await world.publish(a_registration(workspace), tenant_id=workspace, subject=workspace)
    await world.settled("billing")
    client = await billing.client(workspace)

    subscription = (await client.get("/v1/subscription")).json()
    entitlements = (await client.get("/v1/entitlements")).json()

    assert subscription.pop("id")
    assert subscription == {
        "plan": "Pro", "status": "TRIAL", "current_period_start": "2026-01-01T12:00:00Z",
        "current_period_end": "2035-12-30T12:00:00Z", "trial_ends_at": "2035-12-30T12:00:00Z", "auto_renew": False,
        "cancelled_at": None,
    }  # fmt: skip
    assert entitlements == {"plan": "Pro", "max_strategies": 10, "auto_trading": True}


async def test_a_trial_that_ended_falls_back_to_free(billing: Running, world: World, workspace: UUID) -> None:
    await world.publish(a_registration(workspace), tenant_id=workspace, subject=workspace)
    await world.settled("billing")

    async with billing.db.work() as tx:
        early = await commands.expire_trials(tx, NOON + TRIAL - timedelta(microseconds=1))
        due = await commands.expire_trials(tx, NOON + TRIAL)
        again = await commands.expire_trials(tx, NOON + 2 * TRIAL)

    assert (early, due, again) == (0, 1, 0)
    before, after = await world.expect(EntitlementsChanged, 2)
    assert (before.event, after.event) == (pro(workspace, NOON), free(workspace, NOON + TRIAL))
    assert (after.subject, after.sequence, after.tenant_id) == (before.subject, 3, workspace)
    client = await billing.client(workspace)
    assert (await client.get("/v1/subscription")).json()["status"] == "EXPIRED"
    assert (await client.get("/v1/entitlements")).json() == {"plan": "Free", "max_strategies": 1, "auto_trading": False}


async def test_trials_end_by_themselves(world: World, workspace: UUID) -> None:
    async with world.running("billing", billing_trial_days=0, billing_expiry_seconds=0.05):
        await world.publish(a_registration(workspace), tenant_id=workspace, subject=workspace)

        told = await world.expect(EntitlementsChanged, 2)

    assert [envelope.event for envelope in told] == [pro(workspace, NOON), free(workspace, NOON)]


async def test_everybody_sees_the_same_three_plans(billing: Running, workspace: UUID) -> None:
    answer = (await (await billing.client(workspace)).get("/v1/plans")).json()

    assert answer["next_cursor"] is None
    shown = [(p["name"], p["price_monthly"], p["max_strategies"], p["auto_trading"]) for p in answer["items"]]
    assert shown == [
        ("Free", "0.00", 1, False),
        ("Pro", "29.00", 10, True),
        ("Enterprise", "199.00", 1000, True),
    ]
    for plan in answer["items"]:
        assert Decimal(plan["price_yearly"]) == 10 * Decimal(plan["price_monthly"]), "two months are free"
        assert (plan["currency"], bool(plan["features"])) == ("USD", True)


async def test_one_more_workspace_has_what_is_free_and_no_trial(
    billing: Running, world: World, workspace: UUID
) -> None:
    made = world.envelope(one_more(workspace), tenant_id=workspace, subject=workspace)
    await world.send(made, made)
    await world.settled("billing")

    (started,) = await world.expect(SubscriptionStarted, 1)
    (entitled,) = await world.expect(EntitlementsChanged, 1)
    shown = (await (await billing.client(workspace)).get("/v1/subscription")).json()

    assert (started.event.plan, started.event.status) == ("Free", SubscriptionStatus.ACTIVE)
    assert entitled.event == free(workspace, NOON)
    assert [told(started), told(entitled)] == [(workspace, 1, made.event_id), (workspace, 2, made.event_id)]
    assert (shown["plan"], shown["trial_ends_at"]) == ("Free", None)
