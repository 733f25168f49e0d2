"""What happens? Trials start and end; what is free starts, and goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from libs.kit.db import Tx
from libs.schema.event import Cause
from services.billing import repository
from services.billing.model import FALLBACK_PLAN, TRIAL_PLAN, Plan, Subscription
from services.billing.repository import Trial

MAX_EXPIRIES = 500


@dataclass(frozen=True, slots=True)
class NewWorkspace:
    """A workspace that has just been made."""

    workspace_id: UUID
    made_at: datetime
    cause: Cause


async def start_trials(tx: Tx, workspaces: Sequence[NewWorkspace], lasting: timedelta) -> None:
    """Give each workspace its trial, counted from when it was made; one that has had a subscription gets none."""
    plan = await repository.plan(tx, TRIAL_PLAN)
    trials = [Trial(new.workspace_id, new.made_at, new.made_at + lasting) for new in workspaces]
    _tell_of_starts(tx, plan, await repository.insert_trials(tx, plan, trials), workspaces)


async def start_free(tx: Tx, workspaces: Sequence[NewWorkspace]) -> None:
    """Give each workspace what everybody has for nothing; one that has had a subscription keeps that.

    A trial is a person's, once: otherwise whoever makes a workspace after another would never have to pay.
    """
    plan = await repository.plan(tx, FALLBACK_PLAN)
    started = await repository.insert_endless(tx, plan, {new.workspace_id: new.made_at for new in workspaces})
    _tell_of_starts(tx, plan, started, workspaces)


def _tell_of_starts(tx: Tx, plan: Plan, started: Sequence[Subscription], workspaces: Sequence[NewWorkspace]) -> None:
    causes = {new.workspace_id: new.cause for new in reversed(workspaces)}
    for subscription in started:
        tx.publish(subscription, *subscription.start(plan), cause=causes[subscription.tenant_id])


async def expire_trials(tx: Tx, now: datetime) -> int:
    """Let up to MAX_EXPIRIES trials that ended by `now` fall back; gives how many. Needs a worker's transaction."""
    ended = await repository.lock_ended_trials(tx, now, MAX_EXPIRIES)
    if ended:
        fallback = await repository.plan(tx, FALLBACK_PLAN)
        for subscription in ended:
            tx.publish(subscription, *subscription.end_trial(fallback, now))
    return len(ended)
