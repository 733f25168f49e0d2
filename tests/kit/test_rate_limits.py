"""Do buckets let through what the policy says, to the request, for any number of replicas and at any moment?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.kit.db import Database
from libs.kit.ids import uuid7
from libs.kit.maintenance import maintain
from libs.kit.rate_limits import RateLimit, give_back, take, take_within
from libs.kit.settings import Settings
from tests.kit.probe import Admin

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


class TokenBucket:
    """The oracle: the same limit in the words of another algorithm, with exact fractions."""

    def __init__(self, limit: RateLimit) -> None:
        self.capacity = Fraction(limit.at_once)
        self.microseconds_each = Fraction(limit.interval // timedelta(microseconds=1))
        self.tokens = self.capacity

    def wait(self, time: timedelta) -> None:
        grown = Fraction(time // timedelta(microseconds=1)) / self.microseconds_each
        self.tokens = min(self.capacity, self.tokens + grown)

    def take(self) -> tuple[bool, int]:
        allowed = self.tokens >= 1
        self.tokens -= allowed
        return allowed, int(self.tokens)


policies = st.builds(
    RateLimit,
    st.just("model"),
    st.integers(1, 50),
    st.timedeltas(timedelta(milliseconds=1), timedelta(days=2)),
    st.none() | st.integers(1, 8),
)
# In parts of the time in which one request grows back, so that steps are neither all too long nor all too short.
waits = st.lists(st.fractions(0, 4, max_denominator=5), min_size=1, max_size=25)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(limit=policies, steps=waits)
async def test_a_bucket_lets_through_what_an_exact_token_bucket_does(
    db: Database, limit: RateLimit, steps: Sequence[Fraction]
) -> None:
    bucket, subject, now = TokenBucket(limit), str(uuid7()), NOON
    for step in steps:
        time = limit.interval * step.numerator // step.denominator
        now += time
        bucket.wait(time)

        verdict = await take(db, limit, subject, now)

        assert (verdict.allowed, verdict.remaining) == bucket.take()


async def test_of_fifty_at_once_as_many_pass_as_the_quota_says(db: Database) -> None:
    limit = RateLimit("storm", 10, HOUR)

    verdicts = await asyncio.gather(*(take(db, limit, "everybody") for _ in range(50)))

    allowed = [verdict for verdict in verdicts if verdict.allowed]
    assert len(allowed) == 10
    assert sorted(verdict.remaining for verdict in allowed) == list(range(10))
    assert {verdict.remaining for verdict in verdicts if not verdict.allowed} == {0}


async def test_who_waits_as_long_as_told_is_let_through_and_a_second_earlier_is_not(db: Database) -> None:
    limit = RateLimit("patience", 3, timedelta(seconds=30))
    for _ in range(3):
        await take(db, limit, "one", NOON)

    refused = await take(db, limit, "one", NOON + SECOND)

    assert (refused.allowed, refused.retry_after, refused.full_in) == (False, 9, 29)
    assert not (await take(db, limit, "one", NOON + refused.retry_after * SECOND)).allowed
    assert (await take(db, limit, "one", NOON + (1 + refused.retry_after) * SECOND)).allowed


async def test_a_refused_request_costs_nothing(db: Database) -> None:
    limit = RateLimit("free", 1, timedelta(seconds=10))
    await take(db, limit, "one", NOON)
    for second in range(1, 10):
        assert not (await take(db, limit, "one", NOON + second * SECOND)).allowed

    assert (await take(db, limit, "one", NOON + 10 * SECOND)).allowed


async def test_a_clock_that_goes_back_opens_no_bucket(db: Database) -> None:
    limit = RateLimit("clock", 2, HOUR)
    await take(db, limit, "one", NOON)
    await take(db, limit, "one", NOON)

    assert not (await take(db, limit, "one", NOON - timedelta(days=1))).allowed


async def test_a_burst_is_smaller_than_the_quota_of_the_window(db: Database) -> None:
    limit = RateLimit("burst", 60, timedelta(minutes=1), burst=2)

    verdicts = [(await take(db, limit, "one", NOON + step * SECOND)).allowed for step in (0, 0, 0, 1, 1)]

    assert verdicts == [True, True, False, True, False]


async def test_subjects_and_policies_have_buckets_of_their_own(db: Database) -> None:
    one, other = RateLimit("one", 1, HOUR), RateLimit("other", 1, HOUR)

    for limit, subject in ((one, "ada"), (one, "bob"), (other, "ada")):
        assert (await take(db, limit, subject)).allowed
    assert not (await take(db, one, "ada")).allowed


async def test_the_table_shows_no_subject(db: Database, admin: Admin) -> None:
    await take(db, RateLimit("login", 1, HOUR), "ada@example.com")

    [row] = await admin.fetch("SELECT * FROM probe.rate_limit")

    assert len(row["key"]) == 32
    assert b"ada" not in row["key"]


async def test_maintenance_forgets_buckets_that_are_full_and_no_others(
    db: Database, admin: Admin, settings: Settings
) -> None:
    limit = RateLimit("kept", 1, HOUR)
    await take(db, limit, "long ago", datetime.now(UTC) - 2 * HOUR)
    await take(db, limit, "now")

    done = await maintain(settings.database_url.get_secret_value(), ["probe", "marketdata"], 400)

    assert [line for line in done if "rate limits" in line] == ["forgot 1 rate limits of probe"]
    assert not (await take(db, limit, "now")).allowed
    assert len(await admin.fetch("SELECT FROM probe.rate_limit")) == 1


@pytest.mark.parametrize(("quota", "window", "burst"), [(0, HOUR, None), (1, timedelta(0), None), (1, HOUR, 0)])
def test_a_policy_that_lets_nothing_through_is_none(quota: int, window: timedelta, burst: int | None) -> None:
    with pytest.raises(ValueError, match="the rate limit shut lets nothing through"):
        RateLimit("shut", quota, window, burst)


async def test_what_is_given_back_can_be_taken_again(db: Database) -> None:
    limit = RateLimit("returned", 2, HOUR)
    for _ in range(2):
        await take(db, limit, "one", NOON)

    await give_back(db, limit, "one")

    assert [(await take(db, limit, "one", NOON)).allowed for _ in range(2)] == [True, False]


async def test_what_is_taken_in_a_transaction_that_fails_is_not_taken(db: Database) -> None:
    limit = RateLimit("within", 1, HOUR)

    async def fail() -> None:
        async with db.public() as tx:
            assert (await take_within(tx, limit, "one")).allowed
            raise LookupError

    with pytest.raises(LookupError):
        await fail()

    async with db.public() as tx:
        verdicts = [await take_within(tx, limit, "one") for _ in range(2)]

    assert [verdict.allowed for verdict in verdicts] == [True, False]
