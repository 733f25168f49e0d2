"""Passwords that can be guessed are refused, with a reason, however they are written and whoever asks."""

from __future__ import annotations

import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zxcvbn import matching

from services.auth.strength import (
    MAX_PASSWORD,
    MAX_PERSONAL_WORDS,
    SAFE,
    Weakness,
    personal_words,
    readings,
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
     "a" * MAX_PASSWORD, "qwertyuiop" * 12, "asdfghjkl;" * 7, "p4ssw0rd!" * 14, "!@#$%^&*()_+", "12345678901 " * 10, "password" * 16, "1990-01-01-1990-01-01"],
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


def test_nothing_that_is_known_of_a_person_stays() -> None:
    assert weakness("tindariel.vexholmer", ABOUT) is not None

    assert not any("vexholmer" in words for words in matching.RANKED_DICTIONARIES.values())


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


SYMBOLS = "4@8({[<369!|1075$+%2 ._-"  # all that zxcvbn reads as letters, and what stands between words


@given(st.text(SYMBOLS, max_size=MAX_PASSWORD) | st.just(SYMBOLS * 5))
def test_what_is_judged_has_few_readings_of_bounded_length(form: str) -> None:
    judged = list(readings(form))

    assert len(judged) <= 2
    for reading in judged:
        assert len(reading) <= 72
        as_letters = matching.relevant_l33t_subtable(reading, matching.L33T_TABLE)
        assert len(matching.enumerate_l33t_subs(as_letters)) <= 64


def test_a_symbol_stands_for_those_alone_that_are_read_as_its_letter() -> None:
    for symbol, instead in zip(SYMBOLS, next(readings(SYMBOLS)), strict=True):
        assert _letters_for(symbol) <= _letters_for(instead)


def _letters_for(symbol: str) -> set[str]:
    return {letter for letter, symbols in matching.L33T_TABLE.items() if symbol in symbols}


@given(st.lists(st.text(max_size=300), max_size=60))
def test_what_is_known_of_a_person_is_bounded(about: list[str]) -> None:
    words = personal_words(about)

    assert len(words) <= MAX_PERSONAL_WORDS
    assert all(3 <= len(word) <= 72 for word in words)


def test_a_long_password_is_as_strong_as_its_beginning() -> None:
    assert weakness("a" * 40 + STRONG, ()) is None
    assert weakness("a" * 72 + STRONG, ()) is not None
    assert weakness(STRONG + "a" * 100, ()) is None


@settings(max_examples=50)
@given(st.text(max_size=150), st.lists(st.text(max_size=60), max_size=3))
def test_any_text_is_strong_or_weak_and_stays_so_in_its_other_forms(password: str, about: list[str]) -> None:
    form = unicodedata.normalize("NFKC", password)

    assert weakness(password, about) == weakness(form, about)
