"""How do devices ask? With two codes, a long one for the device and a readable one for a person, and not for ever."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import timedelta

from libs.kit.errors import NotFound
from services.auth.settings import Settings

# No vowels, so that no words come of it, and nothing that looks like a digit (RFC 8628, section 6.1): 20^8 codes.
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_LENGTH = 8
_GROUP = 4
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What a device polls with."""

    secret: str = field(repr=False)

    @classmethod
    def generate(cls) -> DeviceCode:
        """A new one, with 256 random bits."""
        return cls(secrets.token_urlsafe(_SECRET_BYTES))

    @property
    def digest(self) -> bytes:
        """SHA-256 of the secret, which is random enough to need no salt."""
        return hashlib.sha256(self.secret.encode(errors="surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class UserCode:
    """What a person reads off the device and types in elsewhere."""

    letters: str = field(repr=False)

    @classmethod
    def generate(cls) -> UserCode:
        """A new one, with 34 random bits: enough for minutes, as guesses are counted."""
        return cls("".join(secrets.choice(_LETTERS) for _ in range(_LENGTH)))

    @classmethod
    def parse(cls, text: str) -> UserCode:
        """What a person typed, in any case and with any punctuation. Raises NotFound when it can't be one of ours."""
        letters = "".join(letter for letter in text.upper() if letter.isalnum())
        if len(letters) != _LENGTH or set(letters) - set(_LETTERS):
            raise NotFound("device that waits with the code", text)
        return cls(letters)

    def __str__(self) -> str:
        return f"{self.letters[:_GROUP]}-{self.letters[_GROUP:]}"

    @property
    def digest(self) -> bytes:
        """SHA-256 of the letters: no row shows a code to whoever only reads along."""
        return hashlib.sha256(self.letters.encode()).digest()


@dataclass(frozen=True, slots=True)
class Authorizing:
    """How this installation lets devices in."""

    public_url: str
    verification_url: str
    """Where a person types a code."""
    lifetime: timedelta
    interval: timedelta

    @classmethod
    def of(cls, settings: Settings) -> Authorizing:
        """What the settings say."""
        return cls(
            settings.public_url,
            settings.auth_verification_url or f"{settings.public_url}/v1/auth/device/approval",
            timedelta(seconds=settings.auth_device_seconds),
            timedelta(seconds=settings.auth_device_poll_seconds),
        )
