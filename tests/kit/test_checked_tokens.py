"""A token that was checked once is not believed for longer, or by anybody else, than one that is checked each time."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kit.checked_tokens import Checked, CheckedTokens
from libs.kit.errors import Unauthenticated
from libs.kit.ids import uuid7
from libs.kit.security import TokenVerifier
from libs.schema.auth import AccessRevoked
from tests.kit.tokens import Auth, a_key


@dataclass
class Clock:
    """A wall clock that a test moves."""

    now: float = field(default_factory=time.time)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def auth() -> Auth:
    return Auth()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def verifier(auth: Auth, clock: Clock) -> TokenVerifier:
    return TokenVerifier(auth, "fillstream", "fillstream", clock=clock)


async def refused(verifier: TokenVerifier, token: str) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.verify(token)


async def test_the_same_token_names_the_same_caller_again(auth: Auth, verifier: TokenVerifier) -> None:
    token = auth.token(sid=str(uuid7()), auth_time=int(time.time()), amr=["pwd"])

    assert await verifier.verify(token) is await verifier.verify(token)


async def test_a_revocation_meets_a_token_that_was_taken_before(auth: Auth, verifier: TokenVerifier) -> None:
    session = uuid7()
    lost, kept = auth.token(sid=str(session)), auth.token()
    caller = await verifier.verify(lost)
    await verifier.verify(kept)

    now = datetime.now(UTC)
    told = AccessRevoked(
        occurred_at=now, user_id=caller.user_id, session_id=session, workspace_id=None, issued_before=now
    )
    verifier.revoked.learn(told, now)

    await refused(verifier, lost)
    assert await verifier.verify(kept)


@pytest.mark.parametrize(("seconds", "taken"), [(599, True), (604, True), (605, False), (3600, False)])
async def test_a_token_that_was_taken_before_expires_when_it_would_have(
    auth: Auth, clock: Clock, seconds: int, *, taken: bool
) -> None:
    """Ten minutes, and five seconds for clocks that differ: the same moment for whoever sees it for the first time."""
    clock.now = float(int(clock.now))
    token = auth.token(iat=int(clock.now), exp=int(clock.now) + 600)
    seen = TokenVerifier(auth, "fillstream", "fillstream", clock=clock)
    await seen.verify(token)
    clock.now += seconds
    for verifier in (seen, TokenVerifier(auth, "fillstream", "fillstream", clock=clock)):
        if taken:
            assert await verifier.verify(token)
        else:
            await refused(verifier, token)


@pytest.mark.parametrize("claim", ["iat", "nbf"])
async def test_a_clock_that_is_put_back_makes_a_token_early_again(
    auth: Auth, verifier: TokenVerifier, clock: Clock, claim: str
) -> None:
    token = auth.token(**{claim: int(clock.now)})  # type: ignore[arg-type]
    assert await verifier.verify(token)
    clock.now -= 60

    await refused(verifier, token)


async def test_a_key_that_was_withdrawn_takes_its_tokens_with_it(auth: Auth, verifier: TokenVerifier) -> None:
    old = auth.token()
    await verifier.verify(old)
    verifier._fetched_at -= 6  # noqa: SLF001 as if the keys were six seconds old
    auth.keys[:] = [a_key()]

    assert await verifier.verify(auth.token()), "the new key is asked for"
    await refused(verifier, old)


async def test_another_signature_or_text_is_not_taken_for_the_token(auth: Auth, verifier: TokenVerifier) -> None:
    token = auth.token()
    await verifier.verify(token)
    head, claims, signature = token.split(".")
    other = auth.token({"kid": auth.keys[0].kid}, key=a_key())

    for changed in (f"{head}.{claims}.", f"{head}.{claims}.{signature[:-4]}AAAA", f" {token}", f"{token}.", other):
        await refused(verifier, changed)


async def test_what_was_refused_is_not_remembered(auth: Auth, verifier: TokenVerifier, clock: Clock) -> None:
    token = auth.token(nbf=int(clock.now) + 60)
    await refused(verifier, token)
    clock.now += 60

    assert await verifier.verify(token)


async def test_a_token_for_others_is_not_taken_because_they_took_it(auth: Auth, verifier: TokenVerifier) -> None:
    token = auth.token(aud="others")
    await TokenVerifier(auth, "fillstream", "others").verify(token)

    await refused(verifier, token)


def a_checked(begins: float = 0.0, ends: float = 10.0) -> Checked[str]:
    return Checked("ada", begins, ends)


@given(st.lists(st.integers(0, 9), max_size=60))
def test_no_more_are_remembered_than_fit_and_those_are_the_last(shown: list[int]) -> None:
    tokens: CheckedTokens[str] = CheckedTokens(most=3)
    for number in shown:
        if tokens.find(str(number), 5) is None:
            tokens.keep(str(number), a_checked())

    last = list(dict.fromkeys(reversed(shown)))[:3]
    assert [number for number in range(10) if tokens.find(str(number), 5)] == sorted(last)


@given(*[st.integers(-20, 20)] * 3)
def test_nothing_is_found_before_its_time_or_after_it(begins: int, ends: int, now: int) -> None:
    tokens: CheckedTokens[str] = CheckedTokens()
    tokens.keep("token", a_checked(begins, ends))

    assert (tokens.find("token", now) is not None) is (begins <= now < ends)


def test_no_token_is_kept_in_the_open() -> None:
    tokens: CheckedTokens[str] = CheckedTokens()
    tokens.keep("a.secret.token", a_checked())

    assert "secret" not in repr(tokens)
