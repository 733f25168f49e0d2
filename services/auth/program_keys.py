"""What does an API key look like? A prefix that people may see, and a secret behind it that is told once."""

from __future__ import annotations

import hashlib
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hmac import compare_digest

from services.auth.settings import Settings

KEY_MARK = "fsk_"
"""What each begins with, so that whoever searches files for secrets finds it."""
_LETTERS = string.ascii_letters + string.digits
_PREFIX_LENGTH = 8
_SECRET_BYTES = 32


def new_prefix() -> str:
    """What a key is known by: one of 62^8, so that two of a million have the same once in centuries."""
    return KEY_MARK + "".join(secrets.choice(_LETTERS) for _ in range(_PREFIX_LENGTH))


@dataclass(frozen=True, slots=True)
class KeySecret:
    """What a program shows for its key."""

    text: str = field(repr=False)

    @classmethod
    def generate(cls, prefix: str) -> KeySecret:
        """A new one, with 256 random bits; it begins with the key's prefix."""
        return cls(f"{prefix}_{secrets.token_urlsafe(_SECRET_BYTES)}")

    @property
    def digest(self) -> bytes:
        """SHA-256 of the text, which is random enough to need no salt."""
        return hashlib.sha256(self.text.encode(errors="surrogatepass")).digest()

    def is_one_of(self, digests: Sequence[bytes]) -> bool:
        """Whether it has one of these digests; all are looked at, in a time that does not tell which."""
        found = [compare_digest(self.digest, one) for one in digests]
        return any(found)


@dataclass(frozen=True, slots=True)
class KeyRules:
    """What this installation allows of keys."""

    longest: timedelta
    """How far away their end may be."""
    most: int
    """How many a person may have in one workspace."""

    @classmethod
    def of(cls, settings: Settings) -> KeyRules:
        """What the settings say."""
        return cls(timedelta(days=settings.auth_api_key_days), settings.auth_api_keys_per_person)
