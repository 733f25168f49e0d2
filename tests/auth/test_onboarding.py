"""Newcomers are led through steps: in order, left and resumed, done or skipped, and at the end told of once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient
from hypothesis import given
from hypothesis import strategies as st

from libs.kit.errors import Conflict
from libs.schema.auth import OnboardingCompleted
from services.auth.commands.onboarding import note_steps
from services.auth.model import OnboardingProgress
from services.auth.model.onboarding import STEPS, StepName, StepState, Witness
from tests.auth.applicants import hand_in, tell
from tests.auth.builders import Person, a_newcomer
from tests.world import Running, World

NOW = datetime(2026, 1, 5, tzinfo=UTC)
HOME, USER = UUID(int=7), UUID(int=8)
_acts = st.lists(st.tuples(st.sampled_from(["note", "claim", "skip"]), st.sampled_from(StepName)), max_size=20)
# By chance alone, hardly anybody would ever come to the end.
_whole_ways = st.builds(
    lambda before, order, after: [*before, *(("note", step) for step in order), *after],
    _acts,
    st.permutations(list(StepName)),
    _acts,
)


@given(_acts | _whole_ways)
def test_whatever_is_tried_the_end_is_told_once_and_only_when_it_is_one(acts: list[tuple[str, StepName]]) -> None:
    progress = OnboardingProgress.unbegun(HOME, USER)
    told = 0
    for act, step in acts:
        before = progress.percent
        try:
            events = getattr(progress, act)(step, NOW)
        except Conflict:
            continue
        told += len(events)
        assert progress.percent >= before
        assert bool(events) == (before < 100 == progress.percent)
        assert (progress.completed_at is not None) == (told == 1) == (progress.current_step is None)
    required = [name for name, step in STEPS.items() if step.required]
    assert StepState.SKIPPED not in [progress.state_of(name) for name in required]
    assert not told or {progress.state_of(name) for name in required} == {StepState.DONE}


@given(_acts)
def test_the_current_step_is_the_first_that_is_pending(acts: list[tuple[str, StepName]]) -> None:
    progress = OnboardingProgress.unbegun(HOME, USER)
    for act, step in acts:
        if act == "note":
            progress.note(step, NOW)
    noted = {step for act, step in acts if act == "note"}
    assert progress.current_step == next((name for name in StepName if name not in noted), None)


@pytest.mark.parametrize("name", StepName)
def test_nobodys_word_is_taken_for_what_auth_sees(name: StepName) -> None:
    progress = OnboardingProgress.unbegun(HOME, USER)
    if STEPS[name].witness is Witness.AUTH:
        with pytest.raises(Conflict, match="by itself"):
            progress.claim(name, NOW)
        progress.note(name, NOW)
    progress.claim(name, NOW)
    assert progress.state_of(name) is StepState.DONE


@pytest.mark.parametrize("name", StepName)
def test_what_is_required_can_not_be_skipped_and_what_is_done_stays_done(name: StepName) -> None:
    progress = OnboardingProgress.unbegun(HOME, USER)
    if STEPS[name].required:
        with pytest.raises(Conflict, match="required"):
            progress.skip(name, NOW)
    else:
        progress.skip(name, NOW)
        progress.skip(name, NOW)
    progress.note(name, NOW)
    with pytest.raises(Conflict):
        progress.skip(name, NOW)
    assert progress.state_of(name) is StepState.DONE


@pytest.fixture
async def ada(client: AsyncClient) -> Person:
    return await a_newcomer(client)


async def _onboarding(client: AsyncClient, person: Person) -> dict[str, Any]:
    shown: dict[str, Any] = (await client.get("/v1/onboarding", headers=person.bearer)).json()
    return shown


async def _step(client: AsyncClient, person: Person, step: str, act: str) -> int:
    answer = await client.post(f"/v1/onboarding/steps/{step}/{act}", headers=person.bearer)
    return answer.status_code


def _states(shown: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["state"] for step in shown["steps"]}


async def test_a_newcomer_sees_what_is_asked_for_and_where_to_begin(client: AsyncClient, ada: Person) -> None:
    shown = await _onboarding(client, ada)

    assert [(step["name"], step["required"], step["done_by_itself"]) for step in shown["steps"]] == [
        ("verify_email", True, True), ("profile", True, True), ("risk", True, True),
        ("second_factor", False, True), ("kyc", False, True), ("first_account", False, False),
    ]  # fmt: skip
    assert set(_states(shown).values()) == {"PENDING"}
    assert (shown["current_step"], shown["progress_percent"], shown["completed_at"]) == ("verify_email", 0, None)


async def test_a_newcomer_comes_to_the_end_and_that_is_told_once(
    client: AsyncClient, world: World, ada: Person
) -> None:
    await tell(client, ada, zip_code="560001")
    await tell(client, ada, risk_tolerance="MEDIUM")
    assert (await _onboarding(client, ada))["current_step"] == "verify_email"
    await world.fetch('UPDATE auth."user" SET email_verified = true')
    assert await _step(client, ada, "verify_email", "complete") == 200
    assert (await _onboarding(client, ada))["current_step"] == "second_factor"
    assert await _step(client, ada, "second_factor", "skip") == 200
    assert await _step(client, ada, "kyc", "skip") == 200
    assert (await _onboarding(client, ada))["progress_percent"] == 83

    assert await _step(client, ada, "first_account", "complete") == 200

    shown = await _onboarding(client, ada)
    assert (shown["current_step"], shown["progress_percent"]) == (None, 100)
    assert (await hand_in(client, ada)).status_code == 201
    assert _states(await _onboarding(client, ada))["kyc"] == "DONE"
    await world.settled("auth")
    (told,) = await world.expect(OnboardingCompleted, 1)
    assert told.event == OnboardingCompleted(
        occurred_at=datetime.fromisoformat(shown["completed_at"]),
        user_id=UUID(ada.user_id),
        workspace_id=UUID(ada.workspace_id),
    )


@pytest.mark.parametrize(
    ("said", "done"),
    [
        ({"dependents": 0}, {"profile"}),
        ({"max_daily_loss": {"amount": "10000", "currency": "USD"}}, {"risk"}),
        ({"zip_code": "560001", "risk_tolerance": "LOW"}, {"profile", "risk"}),
        ({"zip_code": None, "risk_tolerance": None, "preferred_brokers": ["Zerodha"]}, set()),
    ],
)
async def test_what_is_said_in_the_profile_does_its_steps(
    client: AsyncClient, ada: Person, said: dict[str, object], done: set[str]
) -> None:
    await tell(client, ada, **said)

    states = _states(await _onboarding(client, ada))
    assert {name for name, state in states.items() if state == "DONE"} == done


async def test_a_step_that_another_command_sees_is_done_in_its_transaction(
    auth: Running, client: AsyncClient, ada: Person
) -> None:
    home, user = UUID(ada.workspace_id), UUID(ada.user_id)
    async with auth.db.transaction(home) as tx:
        await note_steps(tx, home, user, (StepName.SECOND_FACTOR,))

    assert _states(await _onboarding(client, ada))["second_factor"] == "DONE"


@pytest.mark.parametrize(
    ("step", "act", "problem"),
    [
        ("verify_email", "complete", "step-not-done"),
        ("second_factor", "complete", "step-not-done"),
        ("risk", "skip", "step-required"),
    ],
)
async def test_a_step_that_can_not_be_moved_so_stays(
    client: AsyncClient, world: World, ada: Person, step: str, act: str, problem: str
) -> None:
    answer = await client.post(f"/v1/onboarding/steps/{step}/{act}", headers=ada.bearer)

    assert (answer.status_code, answer.json()["type"]) == (409, f"urn:fillstream:problem:{problem}")
    assert (await world.fetch("SELECT count(*) FROM auth.onboarding_progress"))[0][0] == 0


async def test_an_unknown_step_is_none(client: AsyncClient, ada: Person) -> None:
    assert await _step(client, ada, "dance", "complete") == 422


async def test_steps_at_once_are_all_counted_and_the_end_is_told_once(
    client: AsyncClient, world: World, ada: Person
) -> None:
    await world.fetch('UPDATE auth."user" SET email_verified = true')

    await asyncio.gather(
        tell(client, ada, zip_code="560001"),
        tell(client, ada, risk_tolerance="LOW"),
        hand_in(client, ada),
        *(_step(client, ada, "second_factor", "skip") for _ in range(3)),
        *(_step(client, ada, "first_account", "complete") for _ in range(3)),
    )

    assert (await _onboarding(client, ada))["progress_percent"] == 100
    await world.settled("auth")
    await world.expect(OnboardingCompleted, 1)


async def test_everybody_has_steps_of_their_own(client: AsyncClient, ada: Person) -> None:
    bob = await a_newcomer(client, email="bob@example.com")

    await _step(client, ada, "first_account", "complete")

    assert _states(await _onboarding(client, bob))["first_account"] == "PENDING"
