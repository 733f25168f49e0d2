"""Who asked over HTTP? People who show who they are, and staff who decide on it."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from fastapi import Depends
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator

from libs.kit.acts import Actor
from libs.kit.http.app import Db, RequestCause
from libs.kit.http.origin import RequestOrigin
from libs.kit.http.routes import Router
from libs.kit.security import Caller, requires
from libs.schema.audit import ActorKind
from libs.schema.auth import KycRejectionReason
from libs.schema.values import UtcDatetime
from services.auth.api.parts import AllParts, Somebody
from services.auth.commands import kyc
from services.auth.model import Kyc
from services.auth.model.kyc import Decision, Document, DocumentKind, KycState, Rejection, Verification
from services.auth.queries import people, profiles

router = Router()

Decider = Annotated[Caller, Depends(requires("kyc:decide"))]

_MAX_DOCUMENTS = 10
Reference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/=@+-]{0,199}$")]
Note = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]


class DocumentIn(BaseModel):
    """Where a document is kept. Its content is never sent here."""

    model_config = ConfigDict(extra="forbid")

    kind: DocumentKind
    reference: Reference

    def document(self) -> Document:
        """The document in our own words."""
        return Document(self.kind, self.reference)


class SubmissionIn(BaseModel):
    """What is to show who the caller is."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"documents": [{"kind": "PASSPORT", "reference": "vault:documents/1"}]}]},
    )

    documents: Annotated[list[DocumentIn], Field(min_length=1, max_length=_MAX_DOCUMENTS)]


class DecisionWord(StrEnum):
    """What staff may decide."""

    VERIFIED = "VERIFIED"
    REJECTED = "REJECTED"


class DecisionIn(BaseModel):
    """What staff found about one submission. A rejection has a reason; a verification has neither reason nor note."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"submission": 1, "decision": "VERIFIED"}]}
    )

    submission: Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
    """The number of the one that was looked at."""
    decision: DecisionWord
    reason: Annotated[KycRejectionReason | None, Field(validate_default=True)] = None
    note: Note | None = None

    @field_validator("reason")
    @classmethod
    def _rejections_have_a_reason(
        cls, reason: KycRejectionReason | None, info: ValidationInfo
    ) -> KycRejectionReason | None:
        decision = info.data.get("decision")
        if decision is DecisionWord.REJECTED and reason is None:
            raise ValueError("say why it is rejected")
        if decision is DecisionWord.VERIFIED and reason is not None:
            raise ValueError("a verification has no reason")
        return reason

    @field_validator("note")
    @classmethod
    def _verifications_have_no_note(cls, note: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("decision") is DecisionWord.VERIFIED and note is not None:
            raise ValueError("a verification has no note")
        return note

    def found(self, holds_for: timedelta) -> Decision:
        """The decision in our own words."""
        return Verification(holds_for) if self.reason is None else Rejection(self.reason, self.note)


class DocumentOut(BaseModel):
    """Where a document is kept."""

    kind: DocumentKind
    reference: str


class KycOut(BaseModel):
    """Where somebody's proof of who they are stands."""

    state: KycState
    submission: int
    """How often something was handed in."""
    documents: list[DocumentOut]
    submitted_at: UtcDatetime | None
    decided_at: UtcDatetime | None
    reason: KycRejectionReason | None
    note: str | None
    expires_at: UtcDatetime | None
    """When a verification stops to count."""

    @classmethod
    def of(cls, one: Kyc, at: datetime) -> Self:
        """It as the person sees it at a moment."""
        return cls(
            state=one.state_at(at),
            submission=one.submission,
            documents=[DocumentOut(kind=document.kind, reference=document.reference) for document in one.references],
            submitted_at=one.submitted_at,
            decided_at=one.decided_at,
            reason=None if one.reason is None else KycRejectionReason(one.reason),
            note=one.note,
            expires_at=one.expires_at,
        )


class ApplicantOut(BaseModel):
    """Somebody's proof of who they are, as staff see it."""

    user_id: UUID
    pan_number: str | None
    """As `XXXXXX234F`."""
    aadhaar_number: str | None
    """As `XXXXXXXX1234`."""
    decided_by: UUID | None
    kyc: KycOut

    @classmethod
    def of(cls, applicant: profiles.Applicant) -> Self:
        """What staff decide on."""
        one, said = applicant.kyc, applicant.particulars
        return cls(
            user_id=one.user_id,
            pan_number=None if said.pan_number is None else said.pan_number.masked,
            aadhaar_number=None if said.aadhaar_number is None else said.aadhaar_number.masked,
            decided_by=one.decided_by,
            kyc=KycOut.of(one, applicant.looked_at),
        )


@router.get("/v1/kyc")
async def status(somebody: Somebody, db: Db) -> KycOut:
    """Where the caller's proof of who they are stands."""
    async with db.transaction(somebody.home_id) as tx:
        return KycOut.of(await profiles.kyc(tx, somebody.home_id, somebody.user_id), tx.now)


@router.post("/v1/kyc/submission", status_code=201)
async def submit(body: SubmissionIn, somebody: Somebody, db: Db, cause: RequestCause) -> KycOut:
    """Hand in what is to show who the caller is; 409 while a submission waits or a verification holds."""
    documents = [document.document() for document in body.documents]
    async with db.transaction(somebody.home_id, cause) as tx:
        return KycOut.of(await kyc.submit(tx, somebody.home_id, somebody.user_id, documents), tx.now)


@router.get("/v1/users/{user_id}/kyc")
async def applicant(user_id: UUID, _decider: Decider, db: Db, parts: AllParts) -> ApplicantOut:
    """What a person has handed in, for staff to decide on."""
    async with db.public() as tx:
        home_id = await people.home_of(tx, user_id)
    async with db.transaction(home_id) as tx:
        return ApplicantOut.of(await profiles.applicant(tx, parts.encryption, home_id, user_id))


@router.post("/v1/users/{user_id}/kyc/decision")
async def decide(
    user_id: UUID,
    body: DecisionIn,
    decider: Decider,
    db: Db,
    parts: AllParts,
    origin: RequestOrigin,
    cause: RequestCause,
) -> KycOut:
    """Verify or reject what a person has handed in; nobody decides on their own."""
    async with db.public() as tx:
        home_id = await people.home_of(tx, user_id)
    async with db.transaction(home_id, cause) as tx:
        found = body.found(parts.kyc_holds_for)
        by = Actor(ActorKind.STAFF, decider.user_id, origin=origin)
        return KycOut.of(await kyc.decide(tx, home_id, user_id, body.submission, found, by), tx.now)
