"""What happens to a newcomer's steps? What auth sees is noted; the rest is claimed by the person, or skipped."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from libs.kit.db import Tx
from services.auth.model import OnboardingProgress
from services.auth.model.onboarding import StepName
from services.auth.repository import own_rows, users


async def note_steps(tx: Tx, home_id: UUID, user_id: UUID, steps: Sequence[StepName]) -> None:
    """What has happened here counts as done, at once; `tx` is of the person's home workspace."""
    if not steps:
        return
    progress = await _lock(tx, home_id, user_id)
    for step in steps:
        tx.publish(progress, *progress.note(step, tx.now))


async def claim_step(tx: Tx, home_id: UUID, user_id: UUID, step: StepName) -> OnboardingProgress:
    """The person says that they have done it. Raises Conflict when auth would know, and knows nothing of it."""
    progress = await _lock(tx, home_id, user_id)
    tx.publish(progress, *progress.claim(step, tx.now))
    return progress


async def skip_step(tx: Tx, home_id: UUID, user_id: UUID, step: StepName) -> OnboardingProgress:
    """The person leaves a step out. Raises Conflict when it is required, or done."""
    progress = await _lock(tx, home_id, user_id)
    tx.publish(progress, *progress.skip(step, tx.now))
    return progress


async def _lock(tx: Tx, home_id: UUID, user_id: UUID) -> OnboardingProgress:
    progress = await own_rows.lock(tx, OnboardingProgress.unbegun(home_id, user_id))
    # An address may have been verified before anybody asked for steps.
    if await users.is_email_verified(tx, user_id):
        tx.publish(progress, *progress.note(StepName.VERIFY_EMAIL, tx.now))
    return progress
