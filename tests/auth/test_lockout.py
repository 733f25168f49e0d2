"""Guessing: it is slowed down, then locked out, whether or not there is anybody to guess at."""

from __future__ import annotations

import asyncio
import math
import statistics
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from httpx2 import AsyncClient, Response
from hypothesis import given
from hypothesis import strategies as st

from libs.kit.acts import Origin
from libs.schema.auth import LockReason, MailTemplate, UserLocked, UserUnlocked
from services.auth.commands.logins import Checked, settle_try
from services.auth.model.login import LoginGuard, Patience
from services.auth.queries.people import credentials
from tests.auth.builders import a_person, forget_the_waits, log_in, mails, refresh, register, stop_the_clock, ticket
from tests.world import Running, World

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
_PAIRS = 30
PATIENCE = Patience(free=3, failures=10, pause=timedelta(minutes=15))


async def wrong(client: AsyncClient, **changes: object) -> Response:
    return await log_in(client, **({"password": "not the password"} | changes))


async def fail(client: AsyncClient, world: World, times: int, **changes: object) -> None:
    for _ in range(times):
        assert (await wrong(client, **changes)).status_code == 401
        await forget_the_waits(world)


@given(st.lists(st.integers(0, 1200), max_size=60))
def test_no_more_than_the_patience_allows_is_tried_in_any_quarter_of_an_hour(gaps: list[int]) -> None:
    guard, at, made = LoginGuard(subject=b"x", failures=0, last_failed_at=NOON), NOON, list[datetime]()
    for gap in gaps:
        at += timedelta(seconds=gap)
        if guard.claim(PATIENCE, at) is None:
            made.append(at)

    # The sum of the waits before the lock, and then the whole pause, bound what a window of the pause can hold.
    for first in made:
        assert sum(first <= one < first + PATIENCE.pause for one in made) <= PATIENCE.failures


def test_the_waits_double_and_end_in_the_whole_pause() -> None:
    waits = [PATIENCE.wait_after(failures).total_seconds() for failures in range(12)]

    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 900, 900]


@pytest.mark.parametrize("email", ["ada@example.com", "nobody@example.com"])
async def test_the_fourth_failure_in_a_row_slows_the_next_try_down(
    auth: Running, client: AsyncClient, email: str
) -> None:
    await a_person(client)
    stop_the_clock(auth)

    answers = [await wrong(client, email=email) for _ in range(6)]

    assert [answer.status_code for answer in answers] == [401] * 4 + [429] * 2
    assert answers[4].headers["retry-after"] == "1"
    assert "nobody" not in answers[4].text


async def test_many_guesses_at_once_are_no_more_than_many_in_turn(auth: Running, client: AsyncClient) -> None:
    await a_person(client)
    stop_the_clock(auth)

    answers = await asyncio.gather(*(wrong(client) for _ in range(30)))

    assert Counter(answer.status_code for answer in answers) == {401: 4, 429: 26}


async def test_the_right_password_ends_the_waiting_for_the_account(client: AsyncClient, world: World) -> None:
    await a_person(client)
    await fail(client, world, 5)

    assert (await log_in(client)).status_code == 200
    assert [(await wrong(client)).status_code for _ in range(4)] == [401] * 4


async def test_the_tenth_failure_locks_the_account_and_its_owner_is_written_to(
    client: AsyncClient, world: World
) -> None:
    person = await a_person(client)
    await fail(client, world, 10)

    locked = await log_in(client)
    (told,) = await world.expect(UserLocked, 1)

    assert locked.status_code == 429
    assert told.event.reason is LockReason.FAILED_LOGINS
    assert (await refresh(client, person.refresh_token)).status_code == 200, "sessions go on"
    (mail,) = await mails(world, MailTemplate.ACCOUNT_LOCKED)
    assert mail.address == "ada@example.com"


async def test_the_owners_mail_unlocks_the_account_once(client: AsyncClient, world: World) -> None:
    await a_person(client)
    await fail(client, world, 10)
    (mail,) = await mails(world, MailTemplate.ACCOUNT_LOCKED)

    answers = [await client.post("/v1/auth/unlock", json={"token": ticket(mail)}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 422]
    assert (await log_in(client)).status_code == 200
    await world.expect(UserUnlocked, 1)


async def test_time_unlocks_the_account(client: AsyncClient, world: World) -> None:
    await a_person(client)
    await fail(client, world, 10)
    await world.fetch("UPDATE auth.\"user\" SET locked_until = now() - interval '1 second'")
    await world.fetch("UPDATE auth.login_guard SET last_failed_at = now() - interval '16 minutes'")

    assert (await log_in(client)).status_code == 200


async def test_an_address_that_fails_for_many_accounts_is_shut_out(world: World) -> None:
    async with world.running("auth", auth_address_failures=12) as auth:
        client = await auth.anonymous()
        await a_person(client)

        guesses = [await wrong(client, email=f"n{number}@example.com") for number in range(12)]
        shut_out = await log_in(client)

    assert {answer.status_code for answer in guesses} == {401}
    assert shut_out.status_code == 429
    assert int(shut_out.headers["retry-after"]) > 600


async def test_logins_that_succeed_do_not_shut_their_address_out(world: World) -> None:
    async with world.running("auth", auth_address_failures=3) as auth:
        client = await auth.anonymous()
        await a_person(client)

        assert {(await log_in(client)).status_code for _ in range(8)} == {200}


async def test_nobody_can_tell_by_the_time_whether_an_address_is_known(world: World) -> None:
    """Two interleaved samples: it would show if one took longer nearly every time, and by a part of a hash that counts."""
    async with world.running("auth", auth_account_failures=10_000, auth_address_failures=10_000) as auth:
        client = await auth.anonymous()
        for number in range(_PAIRS):
            await register(client, email=f"known{number}@example.com")

        async def seconds(email: str) -> float:
            started = time.perf_counter()
            assert (await wrong(client, email=email)).status_code == 401
            return time.perf_counter() - started

        pairs = [
            (await seconds(f"known{number}@example.com"), await seconds(f"nobody{number}@example.com"))
            for number in range(_PAIRS)
        ]

    known, unknown = (statistics.median(sample) for sample in zip(*pairs, strict=True))
    assert by_chance(sum(first > second for first, second in pairs)) > 0.001 or abs(known - unknown) < 0.2 * known


def by_chance(slower: int) -> float:
    """How probable it is that one of two equals is slower in so many pairs, or in even fewer or more (sign test)."""
    rarer = min(slower, _PAIRS - slower)
    return min(1.0, 2 * sum(math.comb(_PAIRS, count) for count in range(rarer + 1)) / 2**_PAIRS)


async def test_a_login_that_was_checked_before_the_password_changed_opens_nothing(world: World) -> None:
    async with world.running("auth") as auth:
        client = await auth.anonymous()
        await a_person(client)
        parts = auth.service.http.state.parts
        async with auth.db.public() as tx:
            known = await credentials(tx, "ada@example.com")
        assert known is not None
        await world.fetch('UPDATE auth."user" SET password_changed_at = now()')

        checked = Checked("ada@example.com", Origin(), known, matched=True, renewed_hash="an older hash")
        async with auth.db.transaction(known.home_id) as tx:
            opened = await settle_try(tx, parts.issuing, parts.lockout, parts.mailing, checked)

        assert opened is None
        (row,) = await world.fetch('SELECT password_hash FROM auth."user"')
        assert row["password_hash"] == known.password_hash


async def test_a_server_that_is_too_busy_to_check_counts_no_failure(world: World) -> None:
    async with world.running("auth", auth_hashing_processes=1, auth_hashing_queue=1) as auth:
        client = await auth.anonymous()
        await a_person(client)

        answers = await asyncio.gather(*(log_in(client) for _ in range(4)))

        assert {answer.status_code for answer in answers} <= {200, 429, 503}
        assert (await world.fetch("SELECT max(failures) FROM auth.login_guard"))[0][0] == 0
