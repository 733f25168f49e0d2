"""The rules that need no database: addresses, turns of keys, work for strangers, tokens as text."""

from __future__ import annotations

import time
import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kit.errors import Unauthenticated
from libs.kit.ids import uuid7
from services.auth.model import SCOPES_OF_ROLE, SigningKey, email_key, signing_at
from services.auth.passwords import Passwords
from services.auth.tokens import Ticket
from tests.issuer import ALL_SCOPES

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@given(st.text())
def test_an_addresss_key_does_not_depend_on_how_it_is_written(text: str) -> None:
    key = email_key(text)

    assert email_key(key) == key
    assert email_key(unicodedata.normalize("NFD", text)) == key
    assert email_key("".join(one.upper() if one.isascii() else one for one in text)) == key


ALIKE = [
    ("mo\u00df", "moss"), ("\u017fam", "sam"), ("\u0131an", "ian"), ("\u0130an", "ian"), ("\u0130an", "i\u0307an"),
    ("\uff41da", "ada"), ("\ufb01n", "fin"), ("\u03c2", "\u03c3"), ("\u1e9e", "ss"), ("\u00aa", "a"), ("\u0149", "\u02bcn"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_addresses_that_only_look_alike_are_two(one: str, other: str) -> None:
    assert email_key(f"{one}@example.com") != email_key(f"{other}@example.com")


@pytest.mark.parametrize(
    ("one", "other"), [("ADA", "ada"), ("\u00c9va", "e\u0301VA"), ("\u0416", "\u0436"), ("\u212aim", "kim")]
)
def test_case_and_canonical_form_make_no_other_address(one: str, other: str) -> None:
    assert email_key(f"{one}@example.com") == email_key(f"{other}@example.com")


@given(st.lists(st.integers(-100, 100), unique=True))
def test_the_newest_active_key_signs(offsets: list[int]) -> None:
    keys = [SigningKey(kid=str(offset), active_from=NOON + timedelta(seconds=offset)) for offset in offsets]

    signing = signing_at(keys, NOON)

    active = [offset for offset in offsets if offset <= 0]
    expected = max(active) if active else min(offsets, default=None)
    assert (signing.kid if signing else None) == (None if expected is None else str(expected))


def test_every_scope_of_the_house_belongs_to_a_role() -> None:
    assert frozenset[str]().union(*SCOPES_OF_ROLE.values()) == set(ALL_SCOPES)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=50))
def test_a_refresh_token_survives_its_own_text(secret: str) -> None:
    token = Ticket(uuid7(), secret)

    assert Ticket.parse(str(token)) == token
    assert secret == "" or len(secret) < 8 or secret not in repr(token)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_other_text_is_no_refresh_token(text: str) -> None:
    with pytest.raises(Unauthenticated):
        Ticket.parse(text)


async def test_a_password_matches_its_own_hash_alone() -> None:
    passwords = Passwords(2, queue=9)
    known = await passwords.hash("Pass\u00e9word twelve")

    assert await passwords.match("Pass\u00e9word twelve", known)
    assert await passwords.match("Passe\u0301word twelve", known), "another keyboard, the same word"
    assert not await passwords.match("pass\u00e9word twelve", known)
    assert not await passwords.match("Pass\u00e9word twelve", None)
    assert known != await passwords.hash("Pass\u00e9word twelve"), "the salt is missing"


async def test_a_stranger_is_refused_as_slowly_as_a_user() -> None:
    passwords = Passwords(1, queue=9)
    known = await passwords.hash("correct horse battery staple")

    async def seconds(known_hash: str | None) -> float:
        started = time.perf_counter()
        await passwords.match("wrong", known_hash)
        return time.perf_counter() - started

    # In turns, so that whatever else the machine does meets both.
    samples = [(await seconds(known), await seconds(None)) for _ in range(15)]
    user, stranger = (min(sample) for sample in zip(*samples, strict=True))

    assert stranger > user / 2
