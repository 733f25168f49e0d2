"""Who asked over HTTP? Newcomers who are led through the first steps."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel

from libs.kit.http.app import Db, RequestCause
from libs.kit.http.routes import Router
from libs.schema.values import UtcDatetime
from services.auth.api.parts import Somebody
from services.auth.commands.onboarding import claim_step, skip_step
from services.auth.model import OnboardingProgress
from services.auth.model.onboarding import STEPS, Step, StepName, StepState, Witness
from services.auth.queries import profiles

router = Router()


class StepOut(BaseModel):
    """One thing that a newcomer is asked for."""

    name: StepName
    state: StepState
    required: bool
    """Whether it can't be skipped."""
    done_by_itself: bool
    """Whether it is done once it has happened; the others are done when the caller says so."""

    @classmethod
    def of(cls, step: Step, state: StepState) -> Self:
        """The step, and what became of it."""
        return cls(name=step.name, state=state, required=step.required, done_by_itself=step.witness is Witness.AUTH)


class OnboardingOut(BaseModel):
    """How far the caller has come."""

    steps: list[StepOut]
    """In the order in which they are asked for."""
    current_step: StepName | None
    """Where to go on; null at the end."""
    progress_percent: int
    """How many of a hundred steps were done or skipped."""
    completed_at: UtcDatetime | None

    @classmethod
    def of(cls, progress: OnboardingProgress) -> Self:
        """The progress as the newcomer sees it."""
        return cls(
            steps=[StepOut.of(step, progress.state_of(name)) for name, step in STEPS.items()],
            current_step=progress.current_step,
            progress_percent=progress.percent,
            completed_at=progress.completed_at,
        )


@router.get("/v1/onboarding")
async def onboarding(somebody: Somebody, db: Db) -> OnboardingOut:
    """How far the caller has come, and where to go on."""
    async with db.transaction(somebody.home_id) as tx:
        return OnboardingOut.of(await profiles.onboarding(tx, somebody.home_id, somebody.user_id))


@router.post("/v1/onboarding/steps/{step}/complete")
async def complete_step(step: StepName, somebody: Somebody, db: Db, cause: RequestCause) -> OnboardingOut:
    """Say that a step is done; 409 for one that is done by itself and has not happened."""
    async with db.transaction(somebody.home_id, cause) as tx:
        return OnboardingOut.of(await claim_step(tx, somebody.home_id, somebody.user_id, step))


@router.post("/v1/onboarding/steps/{step}/skip")
async def skip(step: StepName, somebody: Somebody, db: Db, cause: RequestCause) -> OnboardingOut:
    """Leave an optional step out; it can still be done later."""
    async with db.transaction(somebody.home_id, cause) as tx:
        return OnboardingOut.of(await skip_step(tx, somebody.home_id, somebody.user_id, step))
