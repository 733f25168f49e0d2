"""National identifiers: what has their form passes, what was mistyped does not, and none is shown whole."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.auth.national_ids import Aadhaar, HolderType, Pan, check_digit, is_checked

DIGITS = st.text(alphabet=string.digits, min_size=1, max_size=30)
PANS = st.from_regex(r"[A-Z]{3}[ABCFGHLJPT][A-Z][0-9]{4}[A-Z]", fullmatch=True)
AADHAARS = st.from_regex(r"[2-9][0-9]{10}", fullmatch=True).map(lambda digits: f"{digits}{check_digit(digits)}")

# Published examples: Wikipedia's 236, Rosetta Code's task "Verhoeff algorithm", and Kirtland's book on check digits.
PUBLISHED = [("236", 3), ("12345", 1), ("142857", 0), ("123456789012", 0), ("8473643095483728456789", 2)]


@pytest.mark.parametrize(("digits", "check"), PUBLISHED)
def test_verhoeffs_digit_is_the_published_one(digits: str, check: int) -> None:
    assert check_digit(digits) == check
    assert is_checked(f"{digits}{check}")


@given(DIGITS, st.data())
def test_any_one_wrong_digit_is_noticed(digits: str, data: st.DataObject) -> None:
    number = f"{digits}{check_digit(digits)}"
    place = data.draw(st.integers(0, len(number) - 1))
    wrong = data.draw(st.sampled_from([digit for digit in string.digits if digit != number[place]]))

    assert is_checked(number)
    assert not is_checked(number[:place] + wrong + number[place + 1 :])


@given(DIGITS, st.data())
def test_any_two_neighbours_in_the_wrong_order_are_noticed(digits: str, data: st.DataObject) -> None:
    number = f"{digits}{check_digit(digits)}"
    place = data.draw(st.integers(0, len(number) - 2))
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]

    assert is_checked(swapped) == (swapped == number)


@given(PANS)
def test_a_pan_tells_its_holder_and_shows_four_characters(number: str) -> None:
    pan = Pan.parse(f" {number.lower()} ")

    assert pan.number == number
    assert pan.holder.value == number[3]
    assert pan.masked == f"XXXXXX{number[-4:]}"
    assert number not in f"{pan} {pan!r}"


def test_a_pan_is_shown_as_its_department_shows_it() -> None:
    assert Pan.parse("ABCPE1234F").masked == "XXXXXX234F"
    assert Pan.parse("ABCPE1234F").holder is HolderType.PERSON


@pytest.mark.parametrize(
    "text",
    ["", "ABCPE1234", "ABCPE1234FF", "ABCXE1234F", "ABCPE12345", "1BCPE1234F", "ABCPE123\u0664F", "ABCPE1234F\nX",
     "\uff21BCPE1234F", "\u0131BCPE1234F"],
)  # fmt: skip
def test_what_no_department_issued_is_no_pan(text: str) -> None:
    with pytest.raises(ValueError, match="is not a PAN"):
        Pan.parse(text)


@given(AADHAARS, st.sampled_from(["", " ", "-"]))
def test_an_aadhaar_number_may_be_written_in_fours(number: str, gap: str) -> None:
    aadhaar = Aadhaar.parse(gap.join([number[:4], number[4:8], number[8:]]))

    assert aadhaar.number == number
    assert aadhaar.masked == f"XXXXXXXX{number[-4:]}"
    assert number not in f"{aadhaar} {aadhaar!r}"


def _checked(digits: str) -> str:
    return f"{digits}{check_digit(digits)}"


@pytest.mark.parametrize(
    "text",
    ["", _checked("01234567890"), _checked("12345678901"), _checked("2345678901"), _checked("234567890123"),
     "2345-6789 0124", "23456789012a", "\u0662" + _checked("23456789012")[1:]],
)  # fmt: skip
def test_what_no_authority_issued_is_no_aadhaar_number(text: str) -> None:
    with pytest.raises(ValueError, match="is not an Aadhaar number: twelve digits"):
        Aadhaar.parse(text)


@given(AADHAARS)
def test_a_mistyped_aadhaar_number_is_refused_and_not_repeated(number: str) -> None:
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    with pytest.raises(ValueError, match="does not check the others") as refused:
        Aadhaar.parse(wrong)

    assert wrong not in str(refused.value)


@given(st.text(max_size=40))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    for kind in (Pan, Aadhaar):
        try:
            assert kind.parse(kind.parse(text).number) == kind.parse(text)
        except ValueError:
            continue
