"""What is kept of a person beside how they log in? Their particulars: what is personal sealed, what they risk in the open."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.crypto.keyring import Keyring
from libs.kit.crypto.places import Place, Sealed
from libs.kit.ids import uuid7
from libs.kit.model import Moment, Money, TenantOwned
from libs.schema.auth import RiskSettingsChanged, RiskTolerance
from services.auth.model.metadata import Base
from services.auth.model.particulars import DEFAULT_MAX_DAILY_LOSS, DEFAULT_RISK_TOLERANCE, Particulars, Sum
from services.auth.national_ids import Aadhaar, Pan


class Profile(TenantOwned, Base):
    """A person's particulars as they are kept, in the person's home workspace."""

    __tablename__ = "profile"
    __table_args__ = (
        UniqueConstraint("user_id", name="profile_user"),
        CheckConstraint("risk_tolerance IN ('LOW', 'MEDIUM', 'HIGH')", name="profile_risk_tolerance"),
        CheckConstraint("max_daily_loss >= 0", name="profile_max_daily_loss"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.user.id"))
    pan_number: Mapped[Sealed | None]
    aadhaar_number: Mapped[Sealed | None]
    zip_code: Mapped[Sealed | None]
    dependents: Mapped[Sealed | None]
    annual_income: Mapped[Sealed | None]
    """Amount and currency."""
    risk_tolerance: Mapped[str]
    max_daily_loss: Mapped[Money]
    max_daily_loss_currency: Mapped[str]
    preferred_brokers: Mapped[list[str]] = mapped_column(JSONB)
    trading_preferences: Mapped[dict[str, JsonValue]] = mapped_column(JSONB)
    saved_at: Mapped[Moment | None]
    """When the person last changed something; None before they ever did."""

    @classmethod
    def unsaid(cls, home_id: UUID, user_id: UUID) -> Profile:
        """That of somebody who has said nothing of themselves."""
        return cls(
            id=uuid7(),
            tenant_id=home_id,
            user_id=user_id,
            version=0,
            risk_tolerance=DEFAULT_RISK_TOLERANCE,
            max_daily_loss=DEFAULT_MAX_DAILY_LOSS.amount,
            max_daily_loss_currency=DEFAULT_MAX_DAILY_LOSS.currency,
            preferred_brokers=[],
            trading_preferences={},
        )

    def open(self, keyring: Keyring) -> Particulars:
        """What it says. Raises Unsealable when what is sealed is damaged, or was put here from another row."""
        pan, aadhaar = self._opened(keyring, "pan_number"), self._opened(keyring, "aadhaar_number")
        dependents, income = self._opened(keyring, "dependents"), self._opened(keyring, "annual_income")
        return Particulars(
            pan_number=None if pan is None else Pan(pan),
            aadhaar_number=None if aadhaar is None else Aadhaar(aadhaar),
            zip_code=self._opened(keyring, "zip_code"),
            dependents=None if dependents is None else int(dependents),
            annual_income=None if income is None else Sum.parse(income),
            risk_tolerance=RiskTolerance(self.risk_tolerance),
            max_daily_loss=Sum(self.max_daily_loss, self.max_daily_loss_currency),
            preferred_brokers=tuple(self.preferred_brokers),
            trading_preferences=self.trading_preferences,
        )

    def change(self, after: Particulars, keyring: Keyring, at: datetime) -> list[RiskSettingsChanged]:
        """Keep what the person says now; tells of it when it is about their risk."""
        before = self.open(keyring)
        known = _sealed_texts(before)
        for column, text in _sealed_texts(after).items():
            if text != known[column]:
                setattr(self, column, self._sealed(keyring, column, text))
        self.risk_tolerance = after.risk_tolerance
        self.max_daily_loss, self.max_daily_loss_currency = after.max_daily_loss.amount, after.max_daily_loss.currency
        self.preferred_brokers = list(after.preferred_brokers)
        self.trading_preferences = dict(after.trading_preferences)
        self.saved_at = at
        if before.risks_the_same(after):
            return []
        return [
            RiskSettingsChanged(
                occurred_at=at,
                user_id=self.user_id,
                workspace_id=self.tenant_id,
                risk_tolerance=after.risk_tolerance,
                max_daily_loss=after.max_daily_loss.amount,
                currency=after.max_daily_loss.currency,
            )
        ]

    def _opened(self, keyring: Keyring, column: str) -> str | None:
        sealed: bytes | None = getattr(self, column)
        return None if sealed is None else keyring.open(sealed, self._place(column)).decode()

    def _sealed(self, keyring: Keyring, column: str, text: str | None) -> bytes | None:
        return None if text is None else keyring.seal(text.encode(), self._place(column))

    def _place(self, column: str) -> Place:
        return Place(self.__tablename__, column, self.id)


def _sealed_texts(of: Particulars) -> dict[str, str | None]:
    """What is sealed in each column, in the open."""
    return {
        "pan_number": None if of.pan_number is None else of.pan_number.number,
        "aadhaar_number": None if of.aadhaar_number is None else of.aadhaar_number.number,
        "zip_code": of.zip_code,
        "dependents": None if of.dependents is None else str(of.dependents),
        "annual_income": None if of.annual_income is None else str(of.annual_income),
    }
