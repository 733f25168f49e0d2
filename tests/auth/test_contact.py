"""Phones, zones, languages, usernames and pictures: kept in one form, refused with a reason, documented as accepted."""

from __future__ import annotations

import re
import string
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat
from pydantic import TypeAdapter, ValidationError

from services.auth.contact import AvatarUrl, Language, Phone, TimeZone, Username
from services.auth.model import is_reserved, username_key

PHONE: TypeAdapter[str] = TypeAdapter(Phone)
ZONE: TypeAdapter[str] = TypeAdapter(TimeZone)
LANGUAGE: TypeAdapter[str] = TypeAdapter(Language)
USERNAME: TypeAdapter[str] = TypeAdapter(Username)
AVATAR: TypeAdapter[str] = TypeAdapter(AvatarUrl)
ALL = {"phone": PHONE, "zone": ZONE, "language": LANGUAGE, "username": USERNAME, "avatar": AVATAR}

ALNUM = string.ascii_letters + string.digits
REGIONS = sorted(region for region in phonenumbers.SUPPORTED_REGIONS if phonenumbers.example_number(region))
WRITTEN = [PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL]


def _accepts(adapter: TypeAdapter[str], text: str) -> str | None:
    try:
        return adapter.validate_python(text)
    except ValidationError:
        return None


def _as_documented(adapter: TypeAdapter[str], text: str) -> bool:
    schema: dict[str, Any] = adapter.json_schema()
    long_enough = schema.get("minLength", 0) <= len(text) <= schema["maxLength"]
    return long_enough and re.search(schema["pattern"], text) is not None


@pytest.mark.parametrize("kind", ALL)
@given(text=st.text(max_size=60) | st.text(alphabet=ALNUM + "+-/ ._@:", max_size=60))
def test_what_is_accepted_is_as_documented_and_stays_as_it_is(kind: str, text: str) -> None:
    kept = _accepts(ALL[kind], text)

    if kept is not None:
        assert _as_documented(ALL[kind], text)
        assert _as_documented(ALL[kind], kept)
        assert _accepts(ALL[kind], kept) == kept


@pytest.mark.parametrize("kind", ALL)
@given(data=st.data())
def test_what_the_document_allows_is_accepted_or_refused_and_never_fails(kind: str, data: st.DataObject) -> None:
    schema = ALL[kind].json_schema()
    text = data.draw(st.from_regex(schema["pattern"], fullmatch=True).filter(lambda it: len(it) <= schema["maxLength"]))

    kept = _accepts(ALL[kind], text)

    assert kept is None or _accepts(ALL[kind], kept) == kept


@pytest.mark.parametrize("kind", ALL)
def test_examples_are_accepted(kind: str) -> None:
    examples = ALL[kind].json_schema()["examples"]

    assert examples
    assert all(_accepts(ALL[kind], example) and _as_documented(ALL[kind], example) for example in examples)


@given(st.sampled_from(REGIONS), st.sampled_from(WRITTEN))
def test_every_country_has_numbers_that_are_kept_as_e164(region: str, form: int) -> None:
    number = phonenumbers.example_number(region)
    assert number is not None

    kept = PHONE.validate_python(phonenumbers.format_number(number, form))

    assert kept == phonenumbers.format_number(number, PhoneNumberFormat.E164)
    assert re.fullmatch(r"\+[1-9][0-9]{6,14}", kept)


@pytest.mark.parametrize(
    "text",
    ["9876543210", "+91 98765 4321", "+9198765432100", "+1 000 000 0000", "+999 12345678", "+91-9876543210;ext=5",
     "tel:+919876543210", "+\u0661234567890", "", "+", "+919876543210\n"],
)  # fmt: skip
def test_what_cannot_be_called_is_no_phone(text: str) -> None:
    assert _accepts(PHONE, text) is None


@given(st.sampled_from(sorted(available_timezones() - {"Factory", "localtime"})))
def test_every_zone_of_the_database_is_accepted(name: str) -> None:
    assert ZONE.validate_python(name) == name
    assert ZoneInfo(name).key == name


@pytest.mark.parametrize(
    "text",
    ["", "Asia/Atlantis", "../../etc/passwd", "/etc/localtime", "localtime", "Factory", "posix/Asia/Kolkata", "tzdata.zi",
     "asia/kolkata", "Asia/Kolkata\n", "Asia"],
)  # fmt: skip
def test_a_path_or_a_place_that_is_not_there_is_no_zone(text: str) -> None:
    assert _accepts(ZONE, text) is None


# RFC 5646, appendix A, and section 4.5 for the canonical forms; variants in the order of Unicode's UTS 35, section 3.2.1.
@pytest.mark.parametrize(
    ("text", "kept"),
    [("de", "de"), ("zh-Hant", "zh-Hant"), ("zh-cmn-Hans-CN", "zh-Hans-CN"), ("sr-Latn-RS", "sr-Latn-RS"),
     ("sl-rozaj-biske", "sl-biske-rozaj"), ("de-CH-1901", "de-CH-1901"), ("sl-IT-nedis", "sl-IT-nedis"),
     ("en-US", "en-US"), ("es-419", "es-419"), ("DE-latn-de", "de-DE"), ("en-BU", "en-MM"), ("iw", "he"),
     ("de-DE-u-co-phonebk", "de-DE-u-co-phonebk"), ("hi-in", "hi-IN"), ("en-uk", "en-GB")],
)  # fmt: skip
def test_a_language_is_kept_in_its_canonical_form(text: str, kept: str) -> None:
    assert LANGUAGE.validate_python(text) == kept


@pytest.mark.parametrize(
    "text",
    ["", "de-419-DE", "a-DE", "ar-a-aaa-b-bbb-a-ccc", "jp", "en-Latnx", "und", "mul", "x-whatever", "en_US", "root",
     "C.UTF-8", "en\n", "sgn-ase-bfi"],
)  # fmt: skip
def test_what_nobody_speaks_is_no_language(text: str) -> None:
    assert _accepts(LANGUAGE, text) is None


USERNAMES = st.from_regex(r"[A-Za-z0-9]+([._-][A-Za-z0-9]+)*", fullmatch=True).filter(lambda it: 3 <= len(it) <= 30)


@given(USERNAMES)
def test_a_username_is_shown_as_it_was_chosen(name: str) -> None:
    assert _accepts(USERNAME, name) == (None if is_reserved(name) else name)


@given(USERNAMES)
def test_a_usernames_key_does_not_depend_on_how_it_is_written(name: str) -> None:
    key = username_key(name)

    assert username_key(key) == key
    assert key == username_key(name.upper()) == username_key(name.lower())
    assert key == username_key(name.replace("-", "_").replace("_", "."))


# The rows of confusables.txt (Unicode TS 39) of which both sides are ASCII letters and digits.
@pytest.mark.parametrize(("one", "other"), [("0", "O"), ("1", "l"), ("I", "l"), ("m", "rn")])
def test_names_that_look_alike_are_one(one: str, other: str) -> None:
    assert username_key(f"a{one}da") == username_key(f"a{other}da")


def test_names_that_look_different_are_two() -> None:
    assert len({username_key(name) for name in ("ada", "adb", "ada2", "bda", "adda")}) == 5


@pytest.mark.parametrize(
    "name", ["admin", "Root", "support", "f1llstream", "FILL.STREAM", "adm1n", "a-d-m-i-n", "sup.p0rt"]
)
def test_nobody_is_called_like_the_house(name: str) -> None:
    with pytest.raises(ValidationError, match="is reserved"):
        USERNAME.validate_python(name)


@pytest.mark.parametrize(
    "name",
    ["", "ab", "a" * 31, ".ada", "ada.", "a..da", "a da", "ada\n", "\u0430da", "\uff41da", "\u00e4da", "a@da", "a/d"],
)
def test_what_others_could_not_type_is_no_username(name: str) -> None:
    assert _accepts(USERNAME, name) is None


@pytest.mark.parametrize(
    ("text", "kept"),
    [("https://example.com/ada.png", "https://example.com/ada.png"), ("https://EXAMPLE.com", "https://example.com/"),
     ("https://example.com:443/a?b=c#d", "https://example.com/a?b=c#d"), ("https://[::1]/a", "https://[::1]/a")],
)  # fmt: skip
def test_a_pictures_address_is_kept_in_one_form(text: str, kept: str) -> None:
    assert AVATAR.validate_python(text) == kept


@pytest.mark.parametrize(
    "text",
    ["", "http://example.com/a.png", "https://", "https://ada@example.com/a.png", "https://ada:secret@example.com/",
     "https://:secret@example.com/", "javascript:alert(1)", "data:image/png;base64,AAAA", "//example.com/a.png",
     "https://exam ple.com/", "https://example.com/\n", "https:///", "https://example.com:99999/", "https://%00/",
     "https://example.com/" + "a" * 2048, "https://example.com/" + '"' * 1000],
)  # fmt: skip
def test_anything_but_a_plain_https_address_is_no_picture(text: str) -> None:
    assert _accepts(AVATAR, text) is None
