"""How can somebody be reached and called? Addresses, names, phones, time zones, languages and pictures, checked as they come in.

Each type's JSON schema says the form of what is accepted; what only a table can tell (a number that no network has, a
zone that does not exist) is refused with a reason. What comes out goes in again unchanged.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Annotated
from zoneinfo import available_timezones

import langcodes
import phonenumbers
from email_validator import EmailNotValidError, validate_email
from langcodes.tag_parser import LanguageTagError
from phonenumbers import NumberParseException, PhoneNumberFormat
from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter, UrlConstraints, ValidationError
from pydantic_core import Url

from services.auth.model import is_reserved

MAX_URL = 2048
# Known to the database of time zones, and places nowhere.
_NO_ZONES = frozenset({"Factory", "localtime"})
# Codes of ISO 639 for no language in particular: nobody can be written to in them.
_NO_LANGUAGES = frozenset({None, "mis", "mul", "und", "zxx"})


def _address(value: str) -> str:
    _refuse_hidden_signs(value.rpartition("@")[0])
    try:
        return validate_email(value, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise ValueError(f"is not an e-mail address: {error}") from None


def _refuse_hidden_signs(local: str) -> None:
    """Raise ValueError for a character that some form of Unicode makes a sign of ASCII of: U+037E is `;` under NFC.

    Who reads the address later may normalise it, and takes it for several addresses, or for another one.
    """
    # As it was typed, and as it would be kept: the one may hide a sign that the other does not.
    for letter in dict.fromkeys(local + unicodedata.normalize("NFC", local)):
        forms = "" if letter.isascii() else unicodedata.normalize("NFKD", letter)
        sign = next((one for one in forms if one.isascii() and not one.isalnum()), None)
        if sign is not None:
            named = f"U+{ord(letter):04X} ({unicodedata.name(letter, 'without a name')})"
            raise ValueError(f"is not an e-mail address: {named} may be read as {sign!r}")


def _e164(value: str) -> str:
    try:
        number = phonenumbers.parse(value)
    except NumberParseException:
        raise ValueError("is not an international phone number") from None
    # Possible says the length is right, valid that the range is given out to subscribers.
    if not phonenumbers.is_possible_number(number) or not phonenumbers.is_valid_number(number):
        raise ValueError("is a phone number that no network has")
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones()) - _NO_ZONES


def _zone(value: str) -> str:
    # A look-up among names, never a path: ZoneInfo would open a file of the caller's choice.
    if value not in _zones():
        raise ValueError("is not a time zone of the IANA database")
    return value


def _language(value: str) -> str:
    try:
        language = langcodes.Language.get(value)
        if not language.is_valid() or language.language in _NO_LANGUAGES:
            raise ValueError("is not a language that IANA has registered")
        return langcodes.standardize_tag(language)
    except LanguageTagError:
        raise ValueError("is not a language tag") from None


def _username(value: str) -> str:
    if is_reserved(value):
        raise ValueError("is reserved")
    return value


_HTTPS: TypeAdapter[Url] = TypeAdapter(Annotated[Url, UrlConstraints(allowed_schemes=["https"], host_required=True)])


def _picture(value: str) -> str:
    try:
        url = _HTTPS.validate_python(value)
    except ValidationError:
        raise ValueError("is not an https address") from None
    if url.username is not None or url.password is not None:
        raise ValueError("must not carry credentials")
    if len(str(url)) > MAX_URL:
        raise ValueError("is too long once it is escaped")
    return str(url)


Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=254),
    AfterValidator(_address),
    Field(json_schema_extra={"format": "email"}),
]

# No control characters, and something beside spaces; those around it are taken away afterwards, so that what the document
# says of a name holds for what is sent.
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=150, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"),
    AfterValidator(lambda name: name.strip(" ")),
]

Phone = Annotated[
    str,
    StringConstraints(max_length=32, pattern=r"^\+[0-9]([ ().-]{0,2}[0-9])+$"),
    AfterValidator(_e164),
    Field(json_schema_extra={"examples": ["+919876543210", "+44 20 7946 0958"]}),
]
"""With its country's code, as it is written; kept as E.164."""

TimeZone = Annotated[
    str,
    StringConstraints(max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$"),
    AfterValidator(_zone),
    Field(json_schema_extra={"examples": ["Asia/Kolkata", "UTC"]}),
]
"""A name of the IANA database, old names among them: browsers send them."""

Language = Annotated[
    str,
    StringConstraints(max_length=35, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$"),
    AfterValidator(_language),
    Field(json_schema_extra={"examples": ["en-IN", "hi"]}),
]
"""A tag of BCP 47, kept in its canonical form: `EN-uk` is `en-GB`. 35 characters hold any (RFC 5646, 4.4.1)."""

# ASCII alone: TS 39 needs tables of every script to tell what looks like what, and browsers and e-mail show other
# scripts in ways that those do not know. What is left is its own NFKC form, so nothing needs to be normalised.
Username = Annotated[
    str,
    StringConstraints(min_length=3, max_length=30, pattern=r"^[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$"),
    AfterValidator(_username),
    Field(json_schema_extra={"examples": ["ada.lovelace"]}),
]
"""Letters, digits and single separators between them; unique by `services.auth.model.username_key`."""

# Browsers load it, we never do: which host it names is theirs to refuse.
AvatarUrl = Annotated[
    str,
    StringConstraints(max_length=MAX_URL, pattern=r"^https://[!-~]+$"),
    AfterValidator(_picture),
    Field(json_schema_extra={"format": "uri", "examples": ["https://example.com/ada.png"]}),
]
"""An https address without credentials, in the form of the WHATWG's URL standard."""
