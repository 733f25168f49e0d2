"""What does a person say of themselves and of the risk they want? One value, in the open, and how it is changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, TypedDict

from pydantic import JsonValue

from libs.schema.auth import RiskTolerance
from libs.schema.values import Currency, plain_money
from services.auth.model.preferences import check_size, merged
from services.auth.national_ids import Aadhaar, Pan


@dataclass(frozen=True, slots=True)
class Sum:
    """An amount of money and its currency."""

    amount: Decimal
    currency: Currency

    def __str__(self) -> str:
        return f"{plain_money(self.amount)} {self.currency}"

    @classmethod
    def parse(cls, text: str) -> Sum:
        """The sum that `str` wrote."""
        amount, _, currency = text.partition(" ")
        return cls(Decimal(amount), currency)


DEFAULT_RISK_TOLERANCE = RiskTolerance.MEDIUM
DEFAULT_MAX_DAILY_LOSS = Sum(Decimal("10000.00"), "USD")


class ParticularsPatch(TypedDict, total=False):
    """What to change: a field that is left out stays, and None makes it what it is when nothing was ever said."""

    pan_number: Pan | None
    aadhaar_number: Aadhaar | None
    zip_code: str | None
    dependents: int | None
    annual_income: Sum | None
    risk_tolerance: RiskTolerance | None
    max_daily_loss: Sum | None
    preferred_brokers: tuple[str, ...] | None
    trading_preferences: Mapping[str, JsonValue] | None


_PERSONAL = ("pan_number", "aadhaar_number", "zip_code", "dependents", "annual_income")
_RISK = ("risk_tolerance", "max_daily_loss")


@dataclass(frozen=True, slots=True)
class Particulars:
    """All that a profile says. Its text shows none of what is personal."""

    pan_number: Pan | None = field(default=None, repr=False)
    aadhaar_number: Aadhaar | None = field(default=None, repr=False)
    zip_code: str | None = field(default=None, repr=False)
    dependents: int | None = field(default=None, repr=False)
    annual_income: Sum | None = field(default=None, repr=False)
    risk_tolerance: RiskTolerance = DEFAULT_RISK_TOLERANCE
    max_daily_loss: Sum = DEFAULT_MAX_DAILY_LOSS
    preferred_brokers: tuple[str, ...] = ()
    trading_preferences: Mapping[str, JsonValue] = field(default_factory=dict)

    def patched(self, patch: ParticularsPatch) -> Particulars:
        """The particulars after a change, which merges as RFC 7396 says. Raises Invalid for too large preferences."""
        given: dict[str, Any] = {
            name: getattr(_UNSAID, name) if value is None else value for name, value in patch.items()
        }
        wanted = patch.get("trading_preferences")
        if wanted is not None:
            given["trading_preferences"] = merged(self.trading_preferences, wanted)
        changed = replace(self, **given)
        check_size(changed.trading_preferences)
        return changed

    def names_same_person(self, other: Particulars) -> bool:
        """Whether the national identifiers are the same."""
        return (self.pan_number, self.aadhaar_number) == (other.pan_number, other.aadhaar_number)

    def risks_the_same(self, other: Particulars) -> bool:
        """Whether the settings of risk are the same."""
        return (self.risk_tolerance, self.max_daily_loss) == (other.risk_tolerance, other.max_daily_loss)


_UNSAID = Particulars()


def tells_of_the_person(patch: ParticularsPatch) -> bool:
    """Whether a change says something of who they are, and does not only take it back."""
    return any(patch.get(name) is not None for name in _PERSONAL)


def tells_of_risk(patch: ParticularsPatch) -> bool:
    """Whether a change says what they want to risk."""
    return any(patch.get(name) is not None for name in _RISK)
