"""Who is somebody, as a file says? Checked as the API checks what people say of themselves."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from libs.schema.values import UtcDatetime
from services.auth.contact import Email, Language, Name, Phone, TimeZone, Username
from services.auth.hashing import is_known_hash
from services.auth.model.user import DEFAULT_LANGUAGE, DEFAULT_TIME_ZONE, PersonalDetails

_EARLIEST_YEAR = 1970


def _known_hash(value: str) -> str:
    if not is_known_hash(value):
        raise ValueError("is no whole hash of argon2id or bcrypt that can be checked within about a second")
    return value


def _of_this_age(value: datetime) -> datetime:
    if value.year < _EARLIEST_YEAR:
        raise ValueError(f"is before {_EARLIEST_YEAR}")
    return value


class NewPerson(BaseModel):
    """Somebody who is to be made. Whoever has no hash chooses a password by the mail that resets it.

    There is no role and no tier: those are given by whoever may give them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    email: Email
    password_hash: Annotated[str, StringConstraints(max_length=500), AfterValidator(_known_hash)] | None = Field(
        default=None, repr=False
    )
    first_name: Name | None = None
    last_name: Name | None = None
    username: Username | None = None
    phone_number: Phone | None = None
    time_zone: TimeZone = DEFAULT_TIME_ZONE
    language: Language = DEFAULT_LANGUAGE
    email_verified: StrictBool = False
    is_active: StrictBool = True
    created_at: Annotated[UtcDatetime, AfterValidator(_of_this_age)] | None = None
    """When they were first known, elsewhere; shown, and no part of any rule."""

    @property
    def digest(self) -> bytes:
        """SHA-256 of all that is said, however it was written."""
        return hashlib.sha256(self.model_dump_json().encode()).digest()

    def details(self) -> PersonalDetails:
        """What they say of themselves."""
        return PersonalDetails(
            username=self.username,
            first_name=self.first_name,
            last_name=self.last_name,
            phone_number=self.phone_number,
            time_zone=self.time_zone,
            language=self.language,
        )
