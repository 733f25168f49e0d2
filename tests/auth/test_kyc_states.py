"""Where can a proof of who somebody is stand, and what may happen to it there? The whole square of states and acts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from libs.kit.errors import Conflict, Forbidden
from libs.schema.auth import KycExpired, KycRejected, KycRejectionReason, KycSubmitted, KycVerified, KycWithdrawn
from libs.schema.event import DomainEvent
from services.auth.model import Kyc
from services.auth.model.kyc import Document, DocumentKind, KycAct, KycState, Rejection, Verification, after

NOW = datetime(2026, 1, 5, tzinfo=UTC)
YEAR = timedelta(days=365)
HOME, USER, STAFF = UUID(int=7), UUID(int=8), UUID(int=9)
DOCUMENT = Document(DocumentKind.PASSPORT, "vault:1")

# The whole life, said once more: a row for each state, a column for each act, a dash for what can't happen.
SQUARE = """
                SUBMIT      VERIFY      REJECT      EXPIRE      CHANGE_IDENTIFIER
    NOT_STARTED SUBMITTED   -           -           -           NOT_STARTED
    SUBMITTED   -           VERIFIED    REJECTED    -           NOT_STARTED
    VERIFIED    -           -           -           EXPIRED     NOT_STARTED
    REJECTED    SUBMITTED   -           -           -           REJECTED
    EXPIRED     SUBMITTED   -           -           -           EXPIRED
"""
_ACTS, *_ROWS = [line.split() for line in SQUARE.strip().splitlines()]
CELLS = [(row[0], act, becomes) for row in _ROWS for act, becomes in zip(_ACTS, row[1:], strict=True)]


def test_the_square_has_every_state_and_every_act() -> None:
    assert {(state, act) for state, act, _ in CELLS} == {(state, act) for state in KycState for act in KycAct}


@pytest.mark.parametrize(("state", "act", "becomes"), CELLS)
def test_what_an_act_makes_of_a_state(state: str, act: str, becomes: str) -> None:
    if becomes == "-":
        with pytest.raises(Conflict):
            after(KycState(state), KycAct(act))
        return
    assert after(KycState(state), KycAct(act)) == becomes


def _kyc(state: str) -> Kyc:
    kyc = Kyc.unsaid(HOME, USER)
    kyc.state, kyc.submission = state, 1
    kyc.expires_at = NOW + YEAR if state == "VERIFIED" else None
    kyc.reason = "OTHER" if state == "REJECTED" else None
    return kyc


def _act(kyc: Kyc, act: str) -> list[DomainEvent]:
    rejection = Rejection(KycRejectionReason.OTHER, None)
    return {
        "SUBMIT": lambda: kyc.submit([DOCUMENT], NOW),
        "VERIFY": lambda: kyc.decide(1, Verification(YEAR), STAFF, NOW),
        "REJECT": lambda: kyc.decide(1, rejection, STAFF, NOW),
        "EXPIRE": lambda: kyc.expire(NOW + YEAR),
        "CHANGE_IDENTIFIER": lambda: kyc.change_identifier(NOW),
    }[act]()


TOLD: dict[tuple[str, str], list[type[DomainEvent]]] = {
    ("SUBMIT", "SUBMITTED"): [KycSubmitted], ("VERIFY", "VERIFIED"): [KycVerified],
    ("REJECT", "REJECTED"): [KycRejected], ("EXPIRE", "EXPIRED"): [KycExpired],
}  # fmt: skip


@pytest.mark.parametrize(("state", "act", "becomes"), CELLS)
def test_what_is_told_of_it(state: str, act: str, becomes: str) -> None:
    kyc = _kyc(state)
    try:
        told = [type(event) for event in _act(kyc, act)]
    except Conflict:
        told = []

    withdrawn = act == "CHANGE_IDENTIFIER" and state in {"SUBMITTED", "VERIFIED"}
    assert told == ([KycWithdrawn] if withdrawn else TOLD.get((act, becomes), []))
    assert kyc.state == (state if becomes == "-" else becomes)


def test_nobody_decides_on_their_own() -> None:
    kyc = _kyc("SUBMITTED")
    with pytest.raises(Forbidden) as refused:
        kyc.decide(1, Verification(YEAR), USER, NOW)
    assert (refused.value.slug, kyc.state) == ("own-kyc", "SUBMITTED")


def test_a_decision_on_a_submission_that_has_been_replaced_is_refused() -> None:
    kyc = _kyc("SUBMITTED")
    kyc.change_identifier(NOW)
    kyc.submit([DOCUMENT], NOW)
    with pytest.raises(Conflict) as refused:
        kyc.decide(1, Verification(YEAR), STAFF, NOW)
    assert (refused.value.slug, kyc.state) == ("stale-submission", "SUBMITTED")


def test_a_verification_holds_until_its_last_moment_and_can_then_be_renewed() -> None:
    kyc = _kyc("VERIFIED")
    assert kyc.state_at(NOW + YEAR - timedelta(microseconds=1)) is KycState.VERIFIED
    assert kyc.state_at(NOW + YEAR) is KycState.EXPIRED

    told = kyc.submit([DOCUMENT], NOW + YEAR + timedelta(days=3))

    # It was over before anybody had noted that.
    assert [(type(event), event.occurred_at) for event in told] == [
        (KycExpired, NOW + YEAR), (KycSubmitted, NOW + YEAR + timedelta(days=3)),
    ]  # fmt: skip
