"""A token that was revoked is refused everywhere, those beside it are not, and a restart forgets nothing."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from aiokafka.errors import KafkaError
from httpx2 import AsyncClient
from hypothesis import given
from hypothesis import strategies as st

from libs.kit import revocations as revocations_module
from libs.kit.ids import uuid7
from libs.kit.revocations import Granted, Revocations, revocations
from libs.kit.revocations import _shared as readers
from libs.schema.auth import AccessRevoked
from tests.issuer import Issuer
from tests.world import PATIENCE_SECONDS, World, eventually

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
USER, SESSION, WORKSPACE = uuid7(), uuid7(), uuid7()


def revoked(*, session: UUID | None = None, workspace: UUID | None = None, at: datetime = NOON) -> AccessRevoked:
    return AccessRevoked(occurred_at=at, user_id=USER, session_id=session, workspace_id=workspace, issued_before=at)


def granted(**changes: object) -> Granted:
    named = {
        "user_id": USER,
        "workspace_id": WORKSPACE,
        "session_id": SESSION,
        "issued_at": NOON - timedelta(seconds=1),
    }
    return Granted(**(named | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("told", "token", "over"),
    [
        (revoked(), granted(), True),
        (revoked(), granted(user_id=uuid7()), False),
        (revoked(), granted(issued_at=NOON), False),
        (revoked(session=SESSION), granted(), True),
        (revoked(session=SESSION), granted(issued_at=NOON + timedelta(seconds=9)), True),
        (revoked(session=SESSION), granted(session_id=uuid7()), False),
        (revoked(session=SESSION), granted(session_id=None), False),
        (revoked(workspace=WORKSPACE), granted(), True),
        (revoked(workspace=WORKSPACE), granted(workspace_id=uuid7()), False),
    ],
)
def test_a_revocation_means_what_it_names_and_what_was_issued_before(
    told: AccessRevoked, token: Granted, *, over: bool
) -> None:
    known = Revocations()
    known.learn(told, NOON)

    assert known.cover(token) is over


def means(told: AccessRevoked, token: Granted) -> bool:
    """The rule, once more: who, which session and which workspace are meant, and before when the token was issued."""
    return (
        told.user_id == token.user_id
        and (told.session_id is not None or token.issued_at < told.issued_before)
        and told.session_id in {None, token.session_id}
        and told.workspace_id in {None, token.workspace_id}
    )


few = st.sampled_from([uuid7() for _ in range(2)])
moments = st.integers(0, 3).map(lambda seconds: NOON + timedelta(seconds=seconds))
tellings = st.builds(
    lambda user, session, workspace, at: AccessRevoked(
        occurred_at=at, user_id=user, session_id=session, workspace_id=workspace, issued_before=at
    ),
    few, st.none() | few, st.none() | few, moments,
)  # fmt: skip


@given(st.lists(tellings, max_size=8), st.builds(Granted, few, few, st.none() | few, moments))
def test_a_token_is_over_when_one_of_all_revocations_means_it(told: list[AccessRevoked], token: Granted) -> None:
    known = Revocations()
    for one in told:
        known.learn(one, NOON)
    assert known.cover(token) is any(means(one, token) for one in told)


def test_what_no_token_is_old_enough_for_is_forgotten_after_a_tokens_life() -> None:
    known = Revocations(timedelta(minutes=10))
    for second in range(1_000):
        known.learn(revoked(session=uuid7(), at=NOON + timedelta(seconds=second)), NOON + timedelta(seconds=second))
    assert len(known) == 660  # ten minutes, and one for clocks that differ
    known.forget(NOON + timedelta(hours=1))
    assert len(known) == 0


def test_what_is_told_again_is_remembered_once() -> None:
    known = Revocations()
    for second in range(100):
        known.learn(revoked(at=NOON + timedelta(seconds=second)), NOON)
    assert len(known) == 1
    assert known.cover(granted(issued_at=NOON + timedelta(seconds=98)))


def test_whoever_goes_on_with_a_token_is_told_when_it_is_revoked_and_only_then() -> None:
    known, told = Revocations(), list[str]()
    with (
        known.watched(granted(), lambda: told.append("ended")),
        known.watched(granted(session_id=uuid7()), lambda: told.append("another session")),
        known.watched(granted(user_id=uuid7()), lambda: told.append("another person")),
    ):
        known.learn(revoked(session=SESSION), NOON)
    known.learn(revoked(), NOON)

    assert told == ["ended"]


def test_a_token_that_was_revoked_after_it_was_checked_is_over_at_once() -> None:
    known, told = Revocations(), list[str]()
    known.learn(revoked(), NOON)

    with known.watched(granted(), lambda: told.append("ended")):
        assert told == ["ended"]


async def test_another_service_refuses_a_revoked_token_and_still_does_after_a_restart(
    world: World, issuer: Issuer
) -> None:
    user, lost, kept, tenant = uuid7(), uuid7(), uuid7(), uuid7()
    tokens = {one: issuer.token(tenant, sub=str(user), sid=str(one)) for one in (lost, kept)}

    async def status(client: AsyncClient, session: UUID) -> int:
        headers = {"Authorization": f"Bearer {tokens[session]}"}
        return (await client.get("/v1/plans", headers=headers)).status_code

    async with world.running("billing") as billing:
        client = await billing.anonymous()
        assert (await status(client, lost), await status(client, kept)) == (200, 200)
        now = datetime.now(UTC) + timedelta(seconds=1)
        told = AccessRevoked(occurred_at=now, user_id=user, session_id=lost, workspace_id=None, issued_before=now)
        await world.publish(told)

        async def refused() -> None:
            assert await status(client, lost) == 401

        await eventually(refused)
        assert await status(client, kept) == 200

    async with world.running("billing") as again:
        client = await again.anonymous()
        assert (await status(client, lost), await status(client, kept)) == (401, 200)


async def test_services_of_one_process_read_revocations_once_until_the_last_of_them_stops(world: World) -> None:
    settings = world.settings
    async with revocations(settings) as first:
        async with AsyncExitStack() as stack:
            others = await asyncio.gather(*(stack.enter_async_context(revocations(settings)) for _ in range(3)))
            assert all(other is first for other in others)
        assert first[1].task is not None
        assert not first[1].task.done()
    assert first[1].task.done()

    async with revocations(settings) as anew:
        assert anew[0] is not first[0]
    assert not [place for place in readers if settings.kafka_prefix in place]


async def test_a_reader_that_has_nothing_to_catch_up_with_waits_for_no_news(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As long as a fetch without records takes: whoever waits for one fails here.
    monkeypatch.setattr(revocations_module, "_LONG_POLL_MS", 2_000 * int(PATIENCE_SECONDS))
    async with asyncio.timeout(PATIENCE_SECONDS), revocations(world.settings):
        pass


async def test_a_reader_that_can_not_start_leaves_nothing_for_the_next_one(world: World) -> None:
    settings = world.settings.model_copy(update={"kafka_bootstrap": "127.0.0.1:9"})
    for _ in range(2):
        with pytest.raises(KafkaError):
            async with revocations(settings):
                pass
    assert not [place for place in readers if settings.kafka_prefix in place]


async def test_what_nobody_can_read_does_not_stop_the_reading(world: World, issuer: Issuer) -> None:
    user, tenant = uuid7(), uuid7()
    headers = {"Authorization": f"Bearer {issuer.token(tenant, sub=str(user))}"}
    now = datetime.now(UTC) + timedelta(seconds=1)
    await world.send_raw(AccessRevoked.topic, b"x", b"{", [("ce_type", b"access.AccessRevoked.v1")])
    await world.publish(
        AccessRevoked(occurred_at=now, user_id=user, session_id=None, workspace_id=None, issued_before=now)
    )

    async with world.running("billing") as billing:
        assert (await (await billing.anonymous()).get("/v1/plans", headers=headers)).status_code == 401
