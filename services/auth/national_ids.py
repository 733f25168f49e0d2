"""What is a national identifier of India? The forms of PAN and Aadhaar, and how they are shown.

Only whether a number could have been issued: whose it is, only its register can tell. Neither number leaves by `str()` or
`repr()`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

_MASK = "X"
_SHOWN = 4

# Verhoeff 1969, as published: the multiplication of the dihedral group D5, the permutation that is applied once more
# at each place to the left, and the inverses.
_D5 = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_PERMUTATIONS = (
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip
_INVERSES = "0432156789"


class HolderType(StrEnum):
    """Whom a PAN was issued to: its fourth letter (Income Tax Department)."""

    ASSOCIATION_OF_PERSONS = "A"
    BODY_OF_INDIVIDUALS = "B"
    COMPANY = "C"
    FIRM = "F"
    GOVERNMENT = "G"
    HINDU_UNDIVIDED_FAMILY = "H"
    ARTIFICIAL_JURIDICAL_PERSON = "J"
    LOCAL_AUTHORITY = "L"
    PERSON = "P"
    TRUST = "T"


_PAN = re.compile(f"[A-Z]{{3}}[{''.join(HolderType)}][A-Z][0-9]{{4}}[A-Z]")
_AADHAAR = re.compile(r"[2-9][0-9]{3}([ -]?)[0-9]{4}\1[0-9]{4}")


def masked(number: str) -> str:
    """All but the last four characters hidden."""
    return _MASK * (len(number) - _SHOWN) + number[-_SHOWN:]


def _remainder(digits: str) -> int:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        total = int(_D5[total][int(_PERMUTATIONS[place % len(_PERMUTATIONS)][int(digit)])])
    return total


def check_digit(digits: str) -> int:
    """The digit that Verhoeff's scheme puts behind `digits`, which are ASCII digits alone."""
    return int(_INVERSES[_remainder(digits + "0")])


def is_checked(digits: str) -> bool:
    """Whether the last digit is the check digit of those before it."""
    return _remainder(digits) == 0


@dataclass(frozen=True, slots=True)
class Pan:
    """A permanent account number of the Income Tax Department."""

    number: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The number as people write it. Raises ValueError, which does not repeat it."""
        number = text.strip().upper()
        if not text.isascii() or not _PAN.fullmatch(number):
            raise ValueError("is not a PAN: five letters, the fourth for the kind of holder, four digits, a letter")
        return cls(number)

    @property
    def holder(self) -> HolderType:
        """Whom it was issued to."""
        return HolderType(self.number[3])

    @property
    def masked(self) -> str:
        """As `XXXXXX234F`."""
        return masked(self.number)

    def __str__(self) -> str:
        return self.masked


@dataclass(frozen=True, slots=True)
class Aadhaar:
    """A number of the Unique Identification Authority of India."""

    number: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The number as people write it, in fours. Raises ValueError, which does not repeat it."""
        written = text.strip()
        number = written.replace(" ", "").replace("-", "")
        if not _AADHAAR.fullmatch(written):
            raise ValueError("is not an Aadhaar number: twelve digits, the first neither 0 nor 1")
        if not is_checked(number):
            raise ValueError("is not an Aadhaar number: the last digit does not check the others")
        return cls(number)

    @property
    def masked(self) -> str:
        """As `XXXXXXXX1234`, which is how the authority lets it be shown."""
        return masked(self.number)

    def __str__(self) -> str:
        return self.masked
