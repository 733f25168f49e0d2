"""Which fields do requests share? Addresses, names, passwords and tokens, checked as they come in."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, JsonValue, Secret, StringConstraints

from services.auth.contact import Email, Name
from services.auth.model import referral_code_key
from services.auth.strength import MAX_PASSWORD, MIN_PASSWORD

__all__ = ["A_PERSON", "Email", "Name", "NewPassword", "PresentedPassword", "PresentedToken"]

A_PERSON: dict[str, JsonValue] = {"email": "ada@example.com", "password": "correct horse battery staple"}

TypedReferralCode = Annotated[
    str,
    StringConstraints(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9 -]+$"),
    AfterValidator(referral_code_key),
    Field(json_schema_extra={"examples": ["ABCDEFGH2345"]}),
]
PresentedToken = Secret[Annotated[str, StringConstraints(max_length=200)]]
NewPassword = Secret[Annotated[str, StringConstraints(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD)]]
TypedCode = Secret[Annotated[str, StringConstraints(min_length=1, max_length=100)]]
"""Six digits of an application, or a recovery code, with or without spaces."""
PresentedPassword = Secret[Annotated[str, StringConstraints(max_length=MAX_PASSWORD)]]
