"""Is somebody who they say? A submission is decided on by staff, and a verification holds for a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.errors import Conflict, Forbidden
from libs.kit.ids import uuid7
from libs.kit.model import Moment, TenantOwned
from libs.schema.auth import KycExpired, KycRejected, KycRejectionReason, KycSubmitted, KycVerified, KycWithdrawn
from libs.schema.event import DomainEvent
from services.auth.model.metadata import Base


class KycState(StrEnum):
    """Where somebody's proof of who they are stands."""

    NOT_STARTED = "NOT_STARTED"
    SUBMITTED = "SUBMITTED"
    VERIFIED = "VERIFIED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


class KycAct(StrEnum):
    """What may happen to it."""

    SUBMIT = "SUBMIT"
    VERIFY = "VERIFY"
    REJECT = "REJECT"
    EXPIRE = "EXPIRE"
    CHANGE_IDENTIFIER = "CHANGE_IDENTIFIER"


TRANSITIONS: Mapping[tuple[KycState, KycAct], KycState] = MappingProxyType({
    (KycState.NOT_STARTED, KycAct.SUBMIT): KycState.SUBMITTED,
    (KycState.REJECTED, KycAct.SUBMIT): KycState.SUBMITTED,
    (KycState.EXPIRED, KycAct.SUBMIT): KycState.SUBMITTED,
    (KycState.SUBMITTED, KycAct.VERIFY): KycState.VERIFIED,
    (KycState.SUBMITTED, KycAct.REJECT): KycState.REJECTED,
    (KycState.VERIFIED, KycAct.EXPIRE): KycState.EXPIRED,
    # What was submitted or verified was another identifier: it has to be submitted anew, for staff to look at this one.
    (KycState.SUBMITTED, KycAct.CHANGE_IDENTIFIER): KycState.NOT_STARTED,
    (KycState.VERIFIED, KycAct.CHANGE_IDENTIFIER): KycState.NOT_STARTED,
    # Nothing counts that could be lost; after a rejection, this is how a person puts it right.
    (KycState.NOT_STARTED, KycAct.CHANGE_IDENTIFIER): KycState.NOT_STARTED,
    (KycState.REJECTED, KycAct.CHANGE_IDENTIFIER): KycState.REJECTED,
    (KycState.EXPIRED, KycAct.CHANGE_IDENTIFIER): KycState.EXPIRED,
})  # fmt: skip
"""What becomes of it; whatever is not here can't happen."""


class DocumentKind(StrEnum):
    """What a document is."""

    PAN_CARD = "PAN_CARD"
    AADHAAR_CARD = "AADHAAR_CARD"
    PASSPORT = "PASSPORT"
    DRIVING_LICENCE = "DRIVING_LICENCE"
    VOTER_ID = "VOTER_ID"
    PROOF_OF_ADDRESS = "PROOF_OF_ADDRESS"
    BANK_STATEMENT = "BANK_STATEMENT"
    SELFIE = "SELFIE"


@dataclass(frozen=True, slots=True)
class Document:
    """Where a document is kept; what is in it stays there."""

    kind: DocumentKind
    reference: str


@dataclass(frozen=True, slots=True)
class Verification:
    """Staff's decision that somebody is who they say, which holds for a time."""

    holds_for: timedelta


@dataclass(frozen=True, slots=True)
class Rejection:
    """Staff's decision that somebody has not shown who they are."""

    reason: KycRejectionReason
    note: str | None
    """What the person is told beside the reason."""


Decision = Verification | Rejection


class Kyc(TenantOwned, Base):
    """What somebody handed in to show who they are, and what staff found. Kept in the person's home workspace."""

    __tablename__ = "kyc"
    __table_args__ = (
        UniqueConstraint("user_id", name="kyc_user"),
        CheckConstraint("state IN ('NOT_STARTED', 'SUBMITTED', 'VERIFIED', 'REJECTED', 'EXPIRED')", name="kyc_state"),
        CheckConstraint("state <> 'VERIFIED' OR expires_at IS NOT NULL", name="kyc_expires"),
        CheckConstraint("state <> 'REJECTED' OR reason IS NOT NULL", name="kyc_reason"),
        CheckConstraint("decided_by <> user_id", name="kyc_not_by_oneself"),
        Index("kyc_expires_at", "expires_at", postgresql_where=text("state = 'VERIFIED'")),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.user.id"))
    state: Mapped[str]
    submission: Mapped[int]
    """How often something was handed in."""
    documents: Mapped[list[dict[str, str]]] = mapped_column(JSONB)
    submitted_at: Mapped[Moment | None]
    decided_at: Mapped[Moment | None]
    decided_by: Mapped[UUID | None]
    reason: Mapped[str | None]
    note: Mapped[str | None]
    expires_at: Mapped[Moment | None]

    @classmethod
    def unsaid(cls, home_id: UUID, user_id: UUID) -> Kyc:
        """That of somebody who has handed in nothing."""
        return cls(
            id=uuid7(),
            tenant_id=home_id,
            user_id=user_id,
            version=0,
            state=KycState.NOT_STARTED,
            submission=0,
            documents=[],
        )

    @property
    def references(self) -> tuple[Document, ...]:
        """The documents that were handed in last."""
        return tuple(Document(DocumentKind(one["kind"]), one["reference"]) for one in self.documents)

    def state_at(self, moment: datetime) -> KycState:
        """Where it stands: a verification is over at its time, whether that was noted already or not."""
        return KycState.EXPIRED if self._is_over(moment) else KycState(self.state)

    def submit(self, documents: Sequence[Document], at: datetime) -> list[DomainEvent]:
        """Hand in documents. Raises Conflict while a submission waits or a verification holds."""
        events = self.expire(at)
        self._move(KycAct.SUBMIT)
        self.submission += 1
        self.documents = [{"kind": one.kind, "reference": one.reference} for one in documents]
        self._forget_decision()
        self.submitted_at = at
        return [*events, KycSubmitted(occurred_at=at, **self._whose(), submission=self.submission)]

    def decide(self, submission: int, decision: Decision, by: UUID, at: datetime) -> list[DomainEvent]:
        """Verify or reject the submission that somebody of the staff has looked at.

        Raises Forbidden when it is their own, and Conflict when it is not waiting, or another has taken its place.
        """
        if by == self.user_id:
            raise Forbidden("nobody decides on who they are themselves", slug="own-kyc")
        if submission != self.submission:
            raise Conflict(f"the newest submission is number {self.submission}", slug="stale-submission")
        match decision:
            case Verification(holds_for):
                events = self._verify(at, at + holds_for)
            case Rejection(reason, note):
                events = self._reject(reason, note, at)
        self.decided_at, self.decided_by = at, by
        return events

    def expire(self, at: datetime) -> list[DomainEvent]:
        """Let a verification whose time is over by `at` count no more."""
        if not self._is_over(at) or self.expires_at is None:
            return []
        self._move(KycAct.EXPIRE)
        return [KycExpired(occurred_at=self.expires_at, **self._whose())]

    def change_identifier(self, at: datetime) -> list[DomainEvent]:
        """Let what was submitted or verified of other national identifiers count no more."""
        events, before = self.expire(at), self.state
        self._move(KycAct.CHANGE_IDENTIFIER)
        if self.state == before:
            return events
        self._forget_decision()
        return [*events, KycWithdrawn(occurred_at=at, **self._whose())]

    def _verify(self, at: datetime, expires_at: datetime) -> list[DomainEvent]:
        self._move(KycAct.VERIFY)
        self.expires_at = expires_at
        return [KycVerified(occurred_at=at, **self._whose(), expires_at=expires_at)]

    def _reject(self, reason: KycRejectionReason, note: str | None, at: datetime) -> list[DomainEvent]:
        self._move(KycAct.REJECT)
        self.reason, self.note = reason, note
        return [KycRejected(occurred_at=at, **self._whose(), reason=reason)]

    def _is_over(self, moment: datetime) -> bool:
        return self.state == KycState.VERIFIED and self.expires_at is not None and self.expires_at <= moment

    def _move(self, act: KycAct) -> None:
        self.state = after(KycState(self.state), act)

    def _forget_decision(self) -> None:
        self.decided_at = self.decided_by = self.reason = self.note = self.expires_at = None

    def _whose(self) -> dict[str, UUID]:
        return {"user_id": self.user_id, "workspace_id": self.tenant_id}


def after(state: KycState, act: KycAct) -> KycState:
    """What becomes of a state. Raises Conflict when the act is not possible from there."""
    found = TRANSITIONS.get((state, act))
    if found is None:
        raise Conflict(f"{act} is not possible while the state is {state}", slug="illegal-transition")
    return found
