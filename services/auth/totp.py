"""Which one-time codes does an authenticator app show? RFC 6238 over RFC 4226, and each of them is good once.

Who keeps the secret seals it; who keeps the last accepted step locks its row, so that of two requests with one code
`accept` lets through the first.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum, auto
from types import MappingProxyType
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA512
from cryptography.hazmat.primitives.twofactor.hotp import HOTP

SECRET_BYTES = 20
"""160 bits, as RFC 4226, section 4, recommends."""
DRIFT = 1
"""Steps that a phone's clock may be ahead or behind; RFC 6238, section 5.2, recommends no more."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_INPUT = 32
_DIGITS: Mapping[int, str] = MappingProxyType({digit: str(digit) for digit in range(10)})


class Taken(Enum):
    """What became of a code."""

    RIGHT = auto()
    USED = auto()
    """The application did show it, but it or a later one was used: a mistake of its owner's, and no guess."""
    WRONG = auto()


class Digest(StrEnum):
    """The hash of the HMAC, as the Key Uri Format calls it."""

    SHA1 = "SHA1"
    SHA256 = "SHA256"
    SHA512 = "SHA512"


# HMAC does not need its hash to resist collisions: SHA-1 is what every app knows, and what RFC 6238 defaults to.
_HASHES: Mapping[Digest, SHA1 | SHA256 | SHA512] = MappingProxyType(
    {Digest.SHA1: SHA1(), Digest.SHA256: SHA256(), Digest.SHA512: SHA512()}  # noqa: S303
)


@dataclass(frozen=True, slots=True)
class Scheme:
    """How codes are made. The defaults are the RFC's, and the only ones that every app takes."""

    digest: Digest = Digest.SHA1
    digits: int = 6
    period: timedelta = timedelta(seconds=30)

    def step(self, at: datetime) -> int:
        """The number of whole periods since 1970."""
        return (at - _EPOCH) // self.period

    def code(self, secret: bytes, step: int) -> str:
        """What an app shows during a step, or HOTP's value of a counter. Raises ValueError when it is negative."""
        if step < 0:
            raise ValueError("steps are counted from 1970 on")
        hotp = HOTP(secret, self.digits, _HASHES[self.digest], enforce_key_length=False)
        return hotp.generate(step).decode()


STANDARD = Scheme()


def new_secret() -> bytes:
    """A secret for one person's app."""
    return secrets.token_bytes(SECRET_BYTES)


def provisioning_uri(secret: bytes, issuer: str, account: str, scheme: Scheme = STANDARD) -> str:
    """What the QR code says, secret and all (Key Uri Format of Google Authenticator)."""
    # A colon ends the issuer, even when it is escaped.
    issuer, account = issuer.replace(":", ""), account.replace(":", "")
    parameters = {
        "secret": base64.b32encode(secret).decode().rstrip("="),
        "issuer": issuer,
        "algorithm": scheme.digest.value,
        "digits": str(scheme.digits),
        "period": str(scheme.period // timedelta(seconds=1)),
    }
    # Apps take a plus sign for itself.
    return f"otpauth://totp/{quote(issuer, safe='')}:{quote(account, safe='')}?{urlencode(parameters, quote_via=quote)}"


def plain_digits(text: str) -> str:
    """The text without spaces, and with the decimal digits of every script as those of ASCII."""
    return "".join(_DIGITS.get(unicodedata.decimal(one, -1), one) for one in text if not one.isspace())


def matching_step(secret: bytes, code: str, at: datetime, scheme: Scheme = STANDARD) -> int | None:
    """The newest step around `at` whose code this is, or None. Neither spaces nor the script of its digits count.

    Takes as long whether the code is right or wrong, and whichever step it belongs to.
    """
    typed = plain_digits(code[:_LONGEST_INPUT]).encode()
    now, found = scheme.step(at), None
    for step in range(max(now - DRIFT, 0), now + DRIFT + 1):
        if hmac.compare_digest(scheme.code(secret, step).encode(), typed):
            found = step
    return found


def accept(last_step: int | None, matched: int | None) -> int | None:
    """The step to remember as the last one, or None when the code is refused.

    A step is good once, and none before it is good any more (RFC 6238, section 5.2): a code that somebody saw over a
    shoulder is spent once its owner, or anybody, has used it or a later one.
    """
    if matched is None or (last_step is not None and matched <= last_step):
        return None
    return matched
