"""How far has a newcomer come? Steps in order, some of them required, each done or skipped, left and resumed at will."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.errors import Conflict
from libs.kit.ids import uuid7
from libs.kit.model import Moment, TenantOwned
from libs.schema.auth import OnboardingCompleted
from services.auth.model.metadata import Base


class StepName(StrEnum):
    """What a newcomer is led through."""

    VERIFY_EMAIL = "verify_email"
    PROFILE = "profile"
    RISK = "risk"
    SECOND_FACTOR = "second_factor"
    KYC = "kyc"
    FIRST_ACCOUNT = "first_account"


class StepState(StrEnum):
    """What became of a step."""

    PENDING = "PENDING"
    DONE = "DONE"
    SKIPPED = "SKIPPED"


class Witness(StrEnum):
    """Who says that a step was done."""

    AUTH = "AUTH"
    """It happens here: nobody's word is needed, or taken."""
    PERSON = "PERSON"
    """It happens elsewhere."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a newcomer is asked for."""

    name: StepName
    required: bool
    witness: Witness


STEPS: Mapping[StepName, Step] = MappingProxyType({
    step.name: step
    for step in (
        Step(StepName.VERIFY_EMAIL, required=True, witness=Witness.AUTH),
        Step(StepName.PROFILE, required=True, witness=Witness.AUTH),
        Step(StepName.RISK, required=True, witness=Witness.AUTH),
        Step(StepName.SECOND_FACTOR, required=False, witness=Witness.AUTH),
        Step(StepName.KYC, required=False, witness=Witness.AUTH),
        Step(StepName.FIRST_ACCOUNT, required=False, witness=Witness.PERSON),
    )
})  # fmt: skip
"""In the order in which they are asked for. One that is added later is pending for everybody who has not completed."""


class OnboardingProgress(TenantOwned, Base):
    """How far somebody has come. Kept in the person's home workspace."""

    __tablename__ = "onboarding_progress"
    __table_args__ = (UniqueConstraint("user_id", name="onboarding_progress_user"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.user.id"))
    steps: Mapped[dict[str, str]] = mapped_column(JSONB)
    """What became of the steps that are no longer pending."""
    completed_at: Mapped[Moment | None]

    @classmethod
    def unbegun(cls, home_id: UUID, user_id: UUID) -> OnboardingProgress:
        """That of somebody who has done nothing yet."""
        return cls(id=uuid7(), tenant_id=home_id, user_id=user_id, version=0, steps={})

    def state_of(self, name: StepName) -> StepState:
        """What became of a step."""
        return StepState(self.steps.get(name, StepState.PENDING))

    @property
    def current_step(self) -> StepName | None:
        """The first one that is pending, which is where to go on; None when there is none."""
        return next((name for name in STEPS if self.state_of(name) is StepState.PENDING), None)

    @property
    def percent(self) -> int:
        """How many of a hundred steps were done or skipped, rounded down."""
        return 100 * sum(self.state_of(name) is not StepState.PENDING for name in STEPS) // len(STEPS)

    def note(self, name: StepName, at: datetime) -> list[OnboardingCompleted]:
        """It has happened: the step is done, whatever it was before."""
        return self._move(name, StepState.DONE, at)

    def claim(self, name: StepName, at: datetime) -> list[OnboardingCompleted]:
        """The person says that they have done it. Raises Conflict when auth would know, and knows nothing of it."""
        if STEPS[name].witness is Witness.AUTH and self.state_of(name) is not StepState.DONE:
            raise Conflict(f"{name} is done by itself once it has happened, and it has not", slug="step-not-done")
        return self._move(name, StepState.DONE, at)

    def skip(self, name: StepName, at: datetime) -> list[OnboardingCompleted]:
        """Leave a step out; it can still be done later. Raises Conflict when it is required, or done."""
        if STEPS[name].required:
            raise Conflict(f"{name} is required", slug="step-required")
        if self.state_of(name) is StepState.DONE:
            raise Conflict(f"{name} is done", slug="step-done")
        return self._move(name, StepState.SKIPPED, at)

    def _move(self, name: StepName, state: StepState, at: datetime) -> list[OnboardingCompleted]:
        self.steps = {**self.steps, name: state}
        if self.completed_at is not None or self.current_step is not None:
            return []
        self.completed_at = at
        return [OnboardingCompleted(occurred_at=at, user_id=self.user_id, workspace_id=self.tenant_id)]
