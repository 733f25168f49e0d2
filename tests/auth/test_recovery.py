"""Recovery codes: random, typed by people, kept as digests that are their owner's alone."""

from __future__ import annotations

import hashlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kit.errors import Unauthenticated
from libs.kit.ids import uuid7
from services.auth.recovery import COUNT, RecoveryCode, new_codes

CROCKFORD = string.digits + "ABCDEFGHJKMNPQRSTVWXYZ"
CODES = st.text(CROCKFORD, min_size=24, max_size=24).map(RecoveryCode)
OWNER = uuid7()


def test_a_person_gets_ten_codes_of_120_bits_that_differ() -> None:
    codes = new_codes()

    assert len({str(code) for code in codes}) == COUNT == 10
    assert all(len(code.symbols) == 24 and set(code.symbols) <= set(CROCKFORD) for code in codes)
    assert all([len(group) for group in str(code).split("-")] == [4] * 6 for code in codes)


def test_every_symbol_of_every_place_occurs() -> None:
    codes = [RecoveryCode.generate().symbols for _ in range(1000)]

    # Each of the 512 is missing with a probability of 10^-14.
    assert all(set(place) == set(CROCKFORD) for place in zip(*codes, strict=True))


@given(CODES)
def test_a_code_survives_its_own_text(code: RecoveryCode) -> None:
    assert RecoveryCode.parse(str(code)) == code
    assert code.symbols not in repr(code)


TYPED = {"0": "0Oo", "1": "1IiLl"}


@given(CODES, st.data())
def test_a_code_may_be_typed_as_people_type(code: RecoveryCode, data: st.DataObject) -> None:
    gaps = st.sampled_from(["", "", "", " ", "-", " - ", "\u2011"])
    typed = [
        data.draw(st.sampled_from(TYPED.get(symbol, symbol + symbol.lower()))) + data.draw(gaps)
        for symbol in code.symbols
    ]

    assert RecoveryCode.parse("".join(typed)) == code


@given(st.text(max_size=30))
def test_any_other_text_is_a_code_or_refused(text: str) -> None:
    try:
        assert set(RecoveryCode.parse(text).symbols) <= set(CROCKFORD)
    except Unauthenticated:
        return


@pytest.mark.parametrize(
    "text",
    ["", "0" * 23, "0" * 25, "U" * 24, "0" * 24 + "!", "0" * 24 + " " * 100, "\ufb01" * 12, "\ufb01" * 24, "0" * 100_000],
)  # fmt: skip
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(Unauthenticated, match="not valid, or was used before"):
        RecoveryCode.parse(text)


@given(CODES)
def test_what_is_kept_is_a_digest_of_owner_and_code(code: RecoveryCode) -> None:
    assert code.digest_for(OWNER) == hashlib.sha256(OWNER.bytes + code.symbols.encode()).digest()


@given(st.lists(CODES, min_size=1, max_size=10, unique=True), st.data())
def test_a_code_finds_its_own_digest(codes: list[RecoveryCode], data: st.DataObject) -> None:
    kept = [code.digest_for(OWNER) for code in codes]
    mine = data.draw(st.sampled_from(codes))

    assert mine.among(OWNER, kept) == mine.digest_for(OWNER)
    assert mine.among(OWNER, [digest for digest in kept if digest != mine.digest_for(OWNER)]) is None


@given(CODES)
def test_a_code_is_good_for_its_owner_alone(code: RecoveryCode) -> None:
    assert code.among(uuid7(), [code.digest_for(OWNER)]) is None
