"""What is the SQL? Plans by name, trials in sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from libs.kit.db import Tx
from libs.kit.ids import uuid7
from libs.schema.billing import SubscriptionStatus
from services.billing.model import FOREVER, Plan, PlanName, Subscription


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial that a workspace is to have, over [start, end)."""

    workspace_id: UUID
    start: datetime
    end: datetime


async def plan(tx: Tx, name: PlanName) -> Plan:
    """The plan of that name, which a migration made. Raises LookupError."""
    found = await tx.scalar(select(Plan).where(Plan.name == name))
    if found is None:
        raise LookupError(f"the plan {name} is not in the database")
    return found


async def insert_trials(tx: Tx, of: Plan, trials: Sequence[Trial]) -> list[Subscription]:
    """The new subscriptions, without those of workspaces that have had one before."""
    return await _insert(
        tx,
        [
            _row(of, trial.workspace_id, trial.start, trial.end)
            | {"status": SubscriptionStatus.TRIAL, "trial_ends_at": trial.end}
            for trial in trials
        ],
    )


async def insert_endless(tx: Tx, of: Plan, starts: Mapping[UUID, datetime]) -> list[Subscription]:
    """New subscriptions that nothing ends, by workspace, without those of workspaces that have had one before."""
    rows = [_row(of, workspace_id, start, FOREVER) for workspace_id, start in starts.items()]
    return await _insert(tx, [row | {"status": SubscriptionStatus.ACTIVE, "trial_ends_at": None} for row in rows])


def _row(of: Plan, workspace_id: UUID, start: datetime, end: datetime) -> dict[str, object]:
    return {
        "id": uuid7(),
        "tenant_id": workspace_id,
        "version": 0,
        "plan_id": of.id,
        "current_period_start": start,
        "current_period_end": end,
        "auto_renew": False,
    }


async def _insert(tx: Tx, rows: Sequence[dict[str, object]]) -> list[Subscription]:
    statement = (
        insert(Subscription)
        .values(rows)
        .on_conflict_do_nothing(index_elements=[Subscription.tenant_id])
        .returning(Subscription)
    )
    return [cast("Subscription", row[0]) for row in await tx.execute(statement)]


async def lock_ended_trials(tx: Tx, now: datetime, limit: int) -> Sequence[Subscription]:
    """Up to `limit` trials that ended by `now`, without those that another process is ending."""
    statement = (
        select(Subscription)
        .where(Subscription.status == SubscriptionStatus.TRIAL, Subscription.trial_ends_at <= now)
        .order_by(Subscription.trial_ends_at, Subscription.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return await tx.scalars(statement)
