"""Which fields do requests share? Addresses, names, passwords and tokens, checked as they come in."""

from __future__ import annotations

from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field, JsonValue, Secret, StringConstraints

from services.auth.model import referral_code_key
from services.auth.strength import MAX_PASSWORD, MIN_PASSWORD

A_PERSON: dict[str, JsonValue] = {"email": "ada@example.com", "password": "correct horse battery staple"}


def _address(value: str) -> str:
    try:
        return validate_email(value, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise ValueError(f"is not an e-mail address: {error}") from None


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
TypedReferralCode = Annotated[
    str,
    StringConstraints(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9 -]+$"),
    AfterValidator(referral_code_key),
    Field(json_schema_extra={"examples": ["ABCDEFGH2345"]}),
]
PresentedToken = Secret[Annotated[str, StringConstraints(max_length=200)]]
NewPassword = Secret[Annotated[str, StringConstraints(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD)]]
PresentedPassword = Secret[Annotated[str, StringConstraints(max_length=MAX_PASSWORD)]]
