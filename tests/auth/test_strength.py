"""Passwords that can be guessed are refused, with a reason, however they are written and whoever asks."""

from __future__ import annotations

import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.auth.strength import (
    MAX_PASSWORD,
    MAX_PERSONAL_WORDS,
    MIN_PASSWORD,
    PIECE,
    SAFE,
    Weakness,
    personal_words,
    pieces,
    weakness,
)

STRONG = "correct horse battery staple"
ABOUT = ("Tindariel.Vexholmer@example.com", "Tindariel", "Vexholmer")


@pytest.mark.parametrize("password", [STRONG, "xK9#vLq2!mZr", "ein sehr langer deutscher satz", STRONG * 4])
def test_a_strong_password_has_no_weakness(password: str) -> None:
    assert weakness(password, ABOUT) is None


@pytest.mark.parametrize(
    "password",
    ["password1234", "P@ssw0rd1234", "qwertyuiop12", "aaaaaaaaaaaa", "123456789012", "abcabcabcabc", "drowssap4321",
     "a" * MAX_PASSWORD, "password" * 16, "1990-01-01-1990-01-01"],
)  # fmt: skip
def test_a_common_password_is_refused_with_a_reason(password: str) -> None:
    found = weakness(password, ())

    assert found is not None
    assert 0 <= found.score < SAFE
    assert found.warning or found.suggestions
    assert password not in repr(found)


@pytest.mark.parametrize(
    "password",
    ["tindariel.vexholmer", "tindariel_vexholmer", "VexholmerTindariel", "T1ndar1elV3xholm3r", "tindariel vexholmer 1"],
)
def test_what_is_known_of_a_person_does_not_protect_them(password: str) -> None:
    assert weakness(password, ()) is None, "the baseline"
    assert weakness(password, ABOUT) is not None


def test_the_name_of_the_house_is_known_to_everybody() -> None:
    assert weakness("Fillstream2026", ()) is not None


def test_one_persons_words_do_not_judge_another() -> None:
    password = "tindariel.vexholmer"
    with ThreadPoolExecutor(4) as threads:
        own = threads.map(lambda _: weakness(password, ABOUT), range(20))
        others = threads.map(lambda _: weakness(password, ()), range(20))

        assert all(found is not None for found in own)
        assert all(found is None for found in others)


def test_a_password_is_counted_in_the_form_that_is_hashed() -> None:
    ligature = "\ufb03"  # one character, "ffi" once it is normalised

    assert weakness("xK9#vLq2" + ligature, ()) == Weakness(0, "This has fewer than 12 characters.", _SUGGESTED)
    assert weakness("xK9#vLq2!" + ligature, ()) is None
    assert weakness(STRONG + ligature * 40, ()) == Weakness(0, "This has more than 128 characters.")
    assert weakness("e\u0301" * 8 + "xK9#vLq2!mZr" + "n\u0303" * 108, ()) is None


_SUGGESTED = ("Add another word or two.",)


@pytest.mark.parametrize("length", [MAX_PASSWORD + 1, 4 * MAX_PASSWORD, 4 * MAX_PASSWORD + 1, 1_000_000])
def test_what_is_too_long_is_refused_whatever_it_is(length: int) -> None:
    found = weakness((STRONG * (length // len(STRONG) + 1))[:length], ())

    assert found == Weakness(0, "This has more than 128 characters.")


@given(st.text(min_size=MIN_PASSWORD, max_size=MAX_PASSWORD))
def test_no_piece_is_longer_than_zxcvbn_can_take_in_time_and_none_is_left_out(form: str) -> None:
    parts = list(pieces(form))

    assert "".join(parts) == form
    assert all(0 < len(part) <= PIECE for part in parts)


@given(st.lists(st.text(max_size=300), max_size=60))
def test_what_is_known_of_a_person_is_bounded(about: list[str]) -> None:
    words = personal_words(about)

    assert len(words) <= MAX_PERSONAL_WORDS
    assert all(3 <= len(word) <= PIECE for word in words)


def test_the_end_of_a_long_password_counts_as_its_beginning_does() -> None:
    weak_start = "a" * PIECE

    assert weakness(weak_start, ()) is not None
    assert weakness(weak_start + STRONG, ()) is None
    assert weakness(STRONG + weak_start, ()) is None


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=150), st.lists(st.text(max_size=60), max_size=3))
def test_any_text_is_strong_or_weak_and_stays_so_in_its_other_forms(password: str, about: list[str]) -> None:
    form = unicodedata.normalize("NFKC", password)

    assert weakness(password, about) == weakness(form, about)
