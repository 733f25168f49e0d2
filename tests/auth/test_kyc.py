"""People show who they are, staff decide, verifications grow old: each step once, in an order that makes sense."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from httpx2 import AsyncClient

from libs.kit.ids import uuid7
from libs.schema.auth import KycExpired, KycRejected, KycRejectionReason, KycSubmitted, KycVerified, KycWithdrawn
from services.auth.commands import kyc as commands
from tests.auth.applicants import PASSPORT, a_pan, an_aadhaar, decide, hand_in, kyc_of, profile_of, tell
from tests.auth.builders import Person, a_person
from tests.auth.colleagues import staff
from tests.world import Running, World, eventually


@pytest.fixture
async def ada(client: AsyncClient) -> Person:
    return await a_person(client)


@pytest.fixture
async def helper(client: AsyncClient, auth: Running) -> Person:
    return await staff(client, auth)


async def test_somebody_hands_in_documents_and_is_verified(
    client: AsyncClient, world: World, ada: Person, helper: Person
) -> None:
    pan, aadhaar = a_pan(), an_aadhaar()
    await tell(client, ada, pan_number=pan, aadhaar_number=aadhaar)
    assert (await kyc_of(client, ada))["state"] == "NOT_STARTED"

    handed_in = await hand_in(client, ada)
    seen = (await client.get(f"/v1/users/{ada.user_id}/kyc", headers=helper.bearer)).json()
    decided = await decide(client, helper, ada)

    assert (handed_in.status_code, handed_in.json()["state"]) == (201, "SUBMITTED")
    assert (seen["pan_number"], seen["aadhaar_number"]) == (f"XXXXXX{pan[-4:]}", f"XXXXXXXX{aadhaar[-4:]}")
    assert seen["kyc"] == handed_in.json()
    assert seen["kyc"]["documents"] == [PASSPORT]
    assert decided.status_code == 200, decided.text
    shown = await kyc_of(client, ada)
    assert shown == decided.json()
    assert shown["state"] == "VERIFIED"
    assert _moment(shown["expires_at"]) - _moment(shown["decided_at"]) == timedelta(days=730)
    await world.settled("auth")
    (submitted,), (verified,) = await world.expect(KycSubmitted, 1), await world.expect(KycVerified, 1)
    assert (submitted.sequence, verified.sequence) == (1, 2)
    home, person = UUID(ada.workspace_id), UUID(ada.user_id)
    assert verified.event == KycVerified(
        occurred_at=_moment(shown["decided_at"]), user_id=person, workspace_id=home,
        expires_at=_moment(shown["expires_at"]),
    )  # fmt: skip
    [row] = await world.fetch("SELECT tenant_id, decided_by FROM auth.kyc")
    assert (row["tenant_id"], row["decided_by"]) == (home, UUID(helper.user_id))


def _moment(text: object) -> datetime:
    return datetime.fromisoformat(str(text))


async def test_somebody_is_rejected_with_a_reason_and_tries_again(
    client: AsyncClient, world: World, ada: Person, helper: Person
) -> None:
    await hand_in(client, ada)
    rejected = await decide(
        client, helper, ada, decision="REJECTED", reason="DOCUMENT_UNREADABLE", note="The scan is blurred."
    )
    before = await kyc_of(client, ada)
    again_ = (await hand_in(client, ada)).json()
    verified = await decide(client, helper, ada, submission=2)

    assert rejected.status_code == 200, rejected.text
    assert (before["state"], before["reason"], before["note"]) == (
        "REJECTED", "DOCUMENT_UNREADABLE", "The scan is blurred.",
    )  # fmt: skip
    assert (again_["state"], again_["submission"], again_["reason"], again_["note"]) == ("SUBMITTED", 2, None, None)
    assert verified.json()["state"] == "VERIFIED"
    (told,) = await world.expect(KycRejected, 1)
    assert told.event.reason is KycRejectionReason.DOCUMENT_UNREADABLE
    assert "blurred" not in told.event.model_dump_json()


async def test_staff_may_not_decide_on_themselves(client: AsyncClient, helper: Person) -> None:
    await hand_in(client, helper)

    refused = await decide(client, helper, helper)

    assert (refused.status_code, refused.json()["type"]) == (403, "urn:fillstream:problem:own-kyc")
    assert (await kyc_of(client, helper))["state"] == "SUBMITTED"


async def test_without_the_scope_nobody_looks_or_decides(client: AsyncClient, ada: Person) -> None:
    bob = await a_person(client, email="bob@example.com")
    await hand_in(client, ada)

    looked = await client.get(f"/v1/users/{ada.user_id}/kyc", headers=bob.bearer)
    decided = await decide(client, bob, ada)

    assert (looked.status_code, decided.status_code) == (403, 403)
    assert (await kyc_of(client, bob))["state"] == "NOT_STARTED"
    assert (await kyc_of(client, ada))["state"] == "SUBMITTED"


async def test_nobody_can_be_decided_on_who_is_not_there(client: AsyncClient, world: World, helper: Person) -> None:
    gone = await a_person(client, email="gone@example.com")
    await world.fetch("UPDATE auth.\"user\" SET is_active = false WHERE email = 'gone@example.com'")
    nobody = Person(str(uuid7()), "", "", "")

    for about in (gone, nobody):
        assert (await decide(client, helper, about)).status_code == 404
        assert (await client.get(f"/v1/users/{about.user_id}/kyc", headers=helper.bearer)).status_code == 404


async def test_of_many_decisions_at_once_one_is_made(
    client: AsyncClient, world: World, ada: Person, helper: Person
) -> None:
    await hand_in(client, ada)
    words = [{"decision": "VERIFIED"}, {"decision": "REJECTED", "reason": "OTHER"}] * 5

    answers = await asyncio.gather(*(decide(client, helper, ada, **word) for word in words))

    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 9}
    await world.settled("auth")
    assert len(world.published(KycVerified)) + len(world.published(KycRejected)) == 1


async def test_of_many_submissions_at_once_one_is_taken(client: AsyncClient, world: World, ada: Person) -> None:
    answers = await asyncio.gather(*(hand_in(client, ada) for _ in range(10)))

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 9}
    await world.expect(KycSubmitted, 1)


@pytest.mark.parametrize("state", ["SUBMITTED", "VERIFIED"])
async def test_other_national_identifiers_withdraw_what_was_submitted_or_verified(
    client: AsyncClient, world: World, ada: Person, helper: Person, state: str
) -> None:
    aadhaar = an_aadhaar()
    await tell(client, ada, pan_number=a_pan(), aadhaar_number=aadhaar)
    await hand_in(client, ada)
    if state == "VERIFIED":
        await decide(client, helper, ada)

    await tell(client, ada, aadhaar_number=aadhaar, zip_code="560001")
    before = (await kyc_of(client, ada))["state"]
    await tell(client, ada, pan_number=None)

    shown = await kyc_of(client, ada)
    assert (before, shown["state"], shown["expires_at"]) == (state, "NOT_STARTED", None)
    await world.settled("auth")
    await world.expect(KycWithdrawn, 1)
    assert (await hand_in(client, ada)).json()["submission"] == 2


async def test_a_verification_that_is_over_is_shown_so_at_once_and_told_once(
    auth: Running, client: AsyncClient, world: World, ada: Person, helper: Person
) -> None:
    await hand_in(client, ada)
    await decide(client, helper, ada)
    await world.fetch("UPDATE auth.kyc SET expires_at = now() - interval '1 second'")
    shown = await kyc_of(client, ada)
    profile = await profile_of(client, ada)

    async def sweep() -> int:
        async with auth.db.work() as tx:
            return await commands.expire_verifications(tx, tx.now)

    swept = await asyncio.gather(*(sweep() for _ in range(3)))

    assert (shown["state"], profile["kyc_verified"]) == ("EXPIRED", False)
    assert sum(swept) == 1
    (told,) = await world.expect(KycExpired, 1)
    assert told.event.occurred_at == _moment(shown["expires_at"])
    assert (await hand_in(client, ada)).status_code == 201


async def test_a_task_looks_for_verifications_that_are_over(world: World) -> None:
    async with world.running("auth", auth_kyc_expiry_seconds=0.05) as auth:
        client = await auth.anonymous()
        ada, helper = await a_person(client), await staff(client, auth)
        await hand_in(client, ada)
        await decide(client, helper, ada)
        await world.fetch("UPDATE auth.kyc SET expires_at = now() - interval '1 second'")

        async def is_noted() -> None:
            assert (await world.fetch("SELECT state FROM auth.kyc"))[0][0] == "EXPIRED"

        await eventually(is_noted)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/documents"),
        ({"documents": []}, "/documents"),
        ({"documents": [PASSPORT] * 11}, "/documents"),
        ({"documents": [{"kind": "SELFIE"}]}, "/documents/0/reference"),
        ({"documents": [PASSPORT | {"kind": "LIBRARY_CARD"}]}, "/documents/0/kind"),
        ({"documents": [PASSPORT | {"reference": "a b"}]}, "/documents/0/reference"),
        ({"documents": [PASSPORT | {"content": "..."}]}, "/documents/0/content"),
        ({"documents": [PASSPORT], "state": "VERIFIED"}, "/state"),
    ],
)
async def test_a_bad_field_of_a_submission_is_named(
    client: AsyncClient, ada: Person, body: dict[str, object], pointer: str
) -> None:
    answer = await client.post("/v1/kyc/submission", json=body, headers=ada.bearer)

    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert (await kyc_of(client, ada))["state"] == "NOT_STARTED"


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"decision": "EXPIRED"}, "/decision"),
        ({"decision": "REJECTED"}, "/reason"),
        ({"reason": "OTHER"}, "/reason"),
        ({"note": "well done"}, "/note"),
        ({"submission": 0}, "/submission"),
        ({"decided_by": str(uuid7())}, "/decided_by"),
        ({"expires_at": "2099-01-01T00:00:00Z"}, "/expires_at"),
    ],
)
async def test_a_bad_field_of_a_decision_is_named(
    client: AsyncClient, ada: Person, helper: Person, said: dict[str, object], pointer: str
) -> None:
    await hand_in(client, ada)

    answer = await decide(client, helper, ada, **said)

    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert (await kyc_of(client, ada))["state"] == "SUBMITTED"
