"""What lets somebody in who lost their second factor? Ten codes to be written down, each good once, kept as digests."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self
from uuid import UUID

from libs.kit.errors import Unauthenticated
from services.auth.totp import plain_digits

COUNT = 10
"""Codes that a person is given at a time."""
BITS = 120
GROUP = 4

# Crockford's base 32: no letter that is read as a digit, and no U, which would spell words.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SYMBOL_BITS = 5
_SYMBOLS = BITS // _SYMBOL_BITS
_READ_AS = str.maketrans("OIL", "011")
_DASHES = str.maketrans(dict.fromkeys("-\u2010\u2011\u2013"))
_LONGEST_INPUT = 96


@dataclass(frozen=True, slots=True)
class RecoveryCode:
    """A code as its holder has it."""

    symbols: str = field(repr=False)

    @classmethod
    def generate(cls) -> Self:
        """A new one, of 120 random bits."""
        number = secrets.randbits(BITS)
        places = range(BITS - _SYMBOL_BITS, -1, -_SYMBOL_BITS)
        return cls("".join(_ALPHABET[(number >> place) % len(_ALPHABET)] for place in places))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The code as people type it: in either case, with O for 0 and I or L for 1, grouped or not.

        The digits may be of any script. Raises Unauthenticated when it can't be one of ours.
        """
        typed = plain_digits(text[:_LONGEST_INPUT]).translate(_DASHES)
        symbols = typed.upper().translate(_READ_AS)
        # Ligatures and the dotless i become letters of ours when they are raised.
        ours = typed.isascii() and set(symbols) <= set(_ALPHABET)
        if len(text) > _LONGEST_INPUT or len(symbols) != _SYMBOLS or not ours:
            raise Unauthenticated("the recovery code is not valid, or was used before")
        return cls(symbols)

    def __str__(self) -> str:
        return "-".join(self.symbols[start : start + GROUP] for start in range(0, _SYMBOLS, GROUP))

    def digest_for(self, owner_id: UUID) -> bytes:
        """SHA-256 over owner and code, which is what is kept.

        A slow hash makes up for what a password lacks in randomness; from 112 bits on nothing is lacking (ASVS 5.0,
        6.5.2). The owner stands for the salt: one search can't be for everybody's.
        """
        return hashlib.sha256(owner_id.bytes + self.symbols.encode()).digest()

    def among(self, owner_id: UUID, digests: Iterable[bytes]) -> bytes | None:
        """The digest that is this code's, to be deleted as it is used, or None."""
        own = self.digest_for(owner_id)
        return next((digest for digest in digests if hmac.compare_digest(digest, own)), None)


def new_codes() -> tuple[RecoveryCode, ...]:
    """What a person is given, once; those of before are to be forgotten."""
    return tuple(RecoveryCode.generate() for _ in range(COUNT))
