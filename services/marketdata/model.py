"""What is the rule? An instrument is listed once; a bar is consistent, closes once, and changes by a correction alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, MetaData, PrimaryKeyConstraint, UniqueConstraint, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libs.kit.backbone import add_backbone
from libs.kit.errors import Conflict, Invalid
from libs.kit.model import Moment, Money, Versioned
from libs.kit.personal_data.erased import add_erased_workspaces
from libs.kit.rate_limits import add_rate_limits
from libs.schema.marketdata import BarClosed, BarCorrected, InstrumentListed
from libs.schema.values import Currency, Timeframe, plain


class Base(DeclarativeBase):
    """The tables of this context."""

    metadata = MetaData(schema="marketdata")


add_backbone(Base.metadata)
add_rate_limits(Base.metadata)
add_erased_workspaces(Base.metadata)


class AssetClass(StrEnum):
    """What kind of thing is traded."""

    EQUITY = "EQUITY"
    FX = "FX"
    CRYPTO = "CRYPTO"
    FUTURE = "FUTURE"


HUNDREDTHS: Mapping[str, Currency] = MappingProxyType(
    {"GBX": "GBP", "GBp": "GBP", "ZAC": "ZAR", "ZAc": "ZAR", "ILA": "ILS", "USX": "USD"}
)
"""Units that exchanges quote in and nobody keeps an account in: pence and their like, with their currencies."""


class Instrument(Versioned, Base):
    """Something that can be traded, known by its symbol."""

    __tablename__ = "instrument"
    __table_args__ = (UniqueConstraint("symbol", name="instrument_symbol"),)

    symbol: Mapped[str]
    name: Mapped[str]
    asset_class: Mapped[str]
    currency: Mapped[str]
    time_zone: Mapped[str | None]
    """Of its exchange, where the listing says it."""

    def list_for_trading(self, at: datetime) -> list[InstrumentListed]:
        """Tell that the instrument can be traded from `at` on."""
        return [
            InstrumentListed(
                occurred_at=at,
                instrument_id=self.id,
                symbol=self.symbol,
                name=self.name,
                asset_class=self.asset_class,
                currency=self.currency,
                time_zone=self.time_zone,
            )
        ]


_END = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Bar:
    """Open, high, low and close of one instrument over [open_time, open_time + timeframe).

    Raises Invalid when high or low contradict the other prices, or when it closes after the last moment of all.
    """

    symbol: str
    timeframe: Timeframe
    open_time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal

    def __post_init__(self) -> None:
        """Check the prices against each other, and the time."""
        if self.high < max(self.open, self.low, self.close):
            raise Invalid("high", f"{self.high} is below another price of the bar")
        if self.low > min(self.open, self.close):
            raise Invalid("low", f"{self.low} is above another price of the bar")
        if self.open_time > _END - self.timeframe.duration:
            raise Invalid("open_time", "the bar closes after the year 9999")

    @property
    def key(self) -> tuple[str, Timeframe, datetime]:
        """What a bar is known by."""
        return self.symbol, self.timeframe, self.open_time

    @property
    def close_time(self) -> datetime:
        """The first moment that the bar does not cover."""
        return self.open_time + self.timeframe.duration

    @property
    def prices(self) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """Open, high, low and close."""
        return self.open, self.high, self.low, self.close

    def __str__(self) -> str:
        """Which bar it is."""
        return f"{self.symbol} {self.timeframe} {self.open_time.isoformat()}"


class BarConflict(Conflict):
    """A bar contradicts the one that is kept; `reason` says it without the place in the request."""

    slug = "bar-conflict"

    def __init__(self, index: int, bar: Bar, kept: Bar) -> None:
        self.bar = bar
        self.reason = f"{bar} contradicts the bar that is kept: {_told_apart(bar, kept)}"
        super().__init__(f"/bars/{index}: {self.reason}")


class UnfinishedBar(Invalid):
    """A bar is not over yet, so its figures are not final; `reason` says it without the place in the request."""

    slug = "bar-not-over"

    def __init__(self, index: int, bar: Bar) -> None:
        self.bar = bar
        self.reason = f"the bar is not over yet: it closes at {bar.close_time.isoformat()}"
        super().__init__(f"/bars/{index}/open_time", self.reason)


# A factor by which all prices of a bar differ is one of a split or a dividend; between vendors' roundings it is never so large.
_SAME_FACTOR, _ROUNDING = Decimal("0.001"), Decimal("0.000001")


def _told_apart(bar: Bar, kept: Bar) -> str:
    """In which figures two bars differ, what that looks like, and what to do."""
    names = ("open", "high", "low", "close", "volume")
    told = ", ".join(
        f"{name} {plain(getattr(bar, name))} for {plain(getattr(kept, name))}"
        for name in names
        if getattr(bar, name) != getattr(kept, name)
    )
    return f"{told}. {_looks_like(bar, kept)}"


def _looks_like(bar: Bar, kept: Bar) -> str:
    factors = [new / old for new, old in zip(bar.prices, kept.prices, strict=True)]
    if all(abs(factor - 1) <= _ROUNDING for factor in factors) and bar.volume == kept.volume:
        return "They differ by less than a millionth: import the file with --decimals, which says how many decimals prices have"
    if max(factors) - min(factors) <= _SAME_FACTOR * max(factors) and abs(factors[3] - 1) > _SAME_FACTOR:
        return (
            f"All prices are {factors[3]:.6g} times those that are kept: are they adjusted for splits or dividends, or in another unit? "
            "Bars are kept as they were traded"
        )
    return "Should the kept one be wrong, correct it: POST /v1/bars/corrections, or fillstream bars import --correct"


class Series(Versioned, Base):
    """All bars of one instrument and timeframe; its lock orders their events."""

    __tablename__ = "series"
    __table_args__ = (UniqueConstraint("symbol", "timeframe", name="series_symbol_timeframe"),)

    symbol: Mapped[str] = mapped_column(ForeignKey("marketdata.instrument.symbol"))
    timeframe: Mapped[str]

    def close(self, bar: Bar) -> list[BarClosed]:
        """Tell that a bar is complete."""
        return [
            BarClosed(
                occurred_at=bar.close_time,
                symbol=bar.symbol,
                timeframe=bar.timeframe,
                open_time=bar.open_time,
                open=bar.open,
                high=bar.high,
                low=bar.low,
                close=bar.close,
                volume=bar.volume,
            )
        ]

    def backfill(self, bar: Bar) -> list[BarClosed]:
        """Tell of a bar of the past that is no news."""
        return [event.model_copy(update={"backfilled": True}) for event in self.close(bar)]

    def correct(self, previous: Bar, bar: Bar) -> list[BarCorrected]:
        """Tell that a bar was wrong, and what is right."""
        return [
            BarCorrected(
                occurred_at=bar.close_time,
                symbol=bar.symbol,
                timeframe=bar.timeframe,
                open_time=bar.open_time,
                open=bar.open,
                high=bar.high,
                low=bar.low,
                close=bar.close,
                volume=bar.volume,
                previous_open=previous.open,
                previous_high=previous.high,
                previous_low=previous.low,
                previous_close=previous.close,
                previous_volume=previous.volume,
            )
        ]


class BarRow(Base):
    """A bar as it is kept."""

    __tablename__ = "bar"
    __table_args__ = (
        PrimaryKeyConstraint("symbol", "timeframe", "open_time", name="bar_pkey"),
        CheckConstraint("high >= greatest(open, low, close) AND low <= least(open, close)", name="bar_consistent"),
        CheckConstraint("low > 0 AND volume >= 0", name="bar_positive"),
    )

    symbol: Mapped[str]
    timeframe: Mapped[str]
    open_time: Mapped[Moment]
    open: Mapped[Money]
    high: Mapped[Money]
    low: Mapped[Money]
    close: Mapped[Money]
    volume: Mapped[Money]
    series_id: Mapped[UUID] = mapped_column(ForeignKey("marketdata.series.id"))
    created_at: Mapped[Moment] = mapped_column(server_default=func.now())

    def bar(self) -> Bar:
        """The bar as a value."""
        return Bar(
            self.symbol,
            Timeframe(self.timeframe),
            self.open_time,
            self.open,
            self.high,
            self.low,
            self.close,
            self.volume,
        )
