"""Who asked over HTTP? People who tell of themselves, and look at what they told."""

from __future__ import annotations

from typing import Annotated, Self, cast
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, Secret, StringConstraints

from libs.kit.db import Tx
from libs.kit.http.app import Db, RequestCause
from libs.kit.http.routes import Router
from libs.schema.auth import RiskTolerance
from libs.schema.values import Amount, Currency
from services.auth.api.parts import AllParts, Person, Somebody
from services.auth.commands.profile import change_profile
from services.auth.model.kyc import KycState
from services.auth.model.particulars import Particulars, ParticularsPatch, Sum
from services.auth.national_ids import Aadhaar, Pan
from services.auth.queries import profiles

router = Router()

_MAX_BROKERS = 20


def _once_each(brokers: list[str]) -> list[str]:
    if len(set(brokers)) < len(brokers):
        raise ValueError("names a broker twice")
    return brokers


PanNumber = Secret[
    Annotated[str, StringConstraints(max_length=20), AfterValidator(lambda text: Pan.parse(text).number)]
]
AadhaarNumber = Secret[
    Annotated[str, StringConstraints(max_length=20), AfterValidator(lambda text: Aadhaar.parse(text).number)]
]
ZipCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9 -]{0,8}[A-Za-z0-9])?$")]
Dependents = Annotated[int, Field(strict=True, ge=0, le=99)]
Broker = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,49}$")]
Brokers = Annotated[
    list[Broker],
    Field(max_length=_MAX_BROKERS, json_schema_extra={"uniqueItems": True}),
    AfterValidator(_once_each),
]


class SumIn(BaseModel):
    """An amount of money in a currency, zero or more."""

    model_config = ConfigDict(extra="forbid")

    amount: Annotated[Amount, Field(ge=0)]
    currency: Currency

    def sum(self) -> Sum:
        """The sum in our own words."""
        return Sum(self.amount, self.currency)


class SumOut(BaseModel):
    """An amount of money in a currency."""

    amount: Amount
    currency: Currency

    @classmethod
    def of(cls, sum_: Sum) -> Self:
        """The sum as its owner sees it."""
        return cls(amount=sum_.amount, currency=sum_.currency)


class ProfileChange(BaseModel):
    """What to change, as a JSON Merge Patch (RFC 7396): what is left out stays, null makes it as if it was never said."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"zip_code": "560001", "dependents": 2, "risk_tolerance": "LOW"}]},
    )

    pan_number: PanNumber | None = None
    aadhaar_number: AadhaarNumber | None = None
    zip_code: ZipCode | None = None
    dependents: Dependents | None = None
    annual_income: SumIn | None = None
    risk_tolerance: RiskTolerance | None = None
    max_daily_loss: SumIn | None = None
    preferred_brokers: Brokers | None = None
    trading_preferences: dict[str, JsonValue] | None = None
    """Merged member by member. What comes of it may be 8,192 bytes long."""

    def patch(self) -> ParticularsPatch:
        """What was said, in our own words."""
        whole = ParticularsPatch(
            pan_number=None if self.pan_number is None else Pan(self.pan_number.get_secret_value()),
            aadhaar_number=None if self.aadhaar_number is None else Aadhaar(self.aadhaar_number.get_secret_value()),
            zip_code=self.zip_code,
            dependents=self.dependents,
            annual_income=None if self.annual_income is None else self.annual_income.sum(),
            risk_tolerance=self.risk_tolerance,
            max_daily_loss=None if self.max_daily_loss is None else self.max_daily_loss.sum(),
            preferred_brokers=None if self.preferred_brokers is None else tuple(self.preferred_brokers),
            trading_preferences=self.trading_preferences,
        )
        said = {name: value for name, value in whole.items() if name in self.model_fields_set}
        return cast("ParticularsPatch", said)


class ProfileOut(BaseModel):
    """What the caller said of themselves. National identifiers are masked, also for their owner."""

    user_id: UUID
    pan_number: str | None
    """As `XXXXXX234F`."""
    aadhaar_number: str | None
    """As `XXXXXXXX1234`."""
    zip_code: str | None
    dependents: int | None
    annual_income: SumOut | None
    risk_tolerance: RiskTolerance
    max_daily_loss: SumOut
    preferred_brokers: list[str]
    trading_preferences: dict[str, JsonValue]
    kyc_verified: bool
    """Whether staff found that they are who they say, and that still holds; `GET /v1/kyc` tells more."""

    @classmethod
    def of(cls, user_id: UUID, said: Particulars, kyc_state: KycState) -> Self:
        """The particulars as their owner sees them."""
        return cls(
            user_id=user_id,
            pan_number=None if said.pan_number is None else said.pan_number.masked,
            aadhaar_number=None if said.aadhaar_number is None else said.aadhaar_number.masked,
            zip_code=said.zip_code,
            dependents=said.dependents,
            annual_income=None if said.annual_income is None else SumOut.of(said.annual_income),
            risk_tolerance=said.risk_tolerance,
            max_daily_loss=SumOut.of(said.max_daily_loss),
            preferred_brokers=list(said.preferred_brokers),
            trading_preferences=dict(said.trading_preferences),
            kyc_verified=kyc_state is KycState.VERIFIED,
        )


@router.get("/v1/profile")
async def profile(somebody: Somebody, db: Db, parts: AllParts) -> ProfileOut:
    """What the caller said of themselves; where they said nothing, what holds meanwhile."""
    async with db.transaction(somebody.home_id) as tx:
        said = await profiles.particulars(tx, parts.encryption, somebody.home_id, somebody.user_id)
        return await _shown(tx, somebody, said)


@router.patch("/v1/profile")
async def change(body: ProfileChange, somebody: Somebody, db: Db, parts: AllParts, cause: RequestCause) -> ProfileOut:
    """Change what is named. Other national identifiers than before have to be verified anew."""
    async with db.transaction(somebody.home_id, cause) as tx:
        said = await change_profile(tx, parts.encryption, somebody.home_id, somebody.user_id, body.patch())
        return await _shown(tx, somebody, said)


async def _shown(tx: Tx, somebody: Person, said: Particulars) -> ProfileOut:
    kyc = await profiles.kyc(tx, somebody.home_id, somebody.user_id)
    return ProfileOut.of(somebody.user_id, said, kyc.state_at(tx.now))
